"""Parts of the encoder that is a service: settings, requests, answers, and the way between them."""
