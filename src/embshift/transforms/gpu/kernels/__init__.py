"""The making halves of device forms, in torch: they work on a batch and treat each view by itself.

They use whole numbers where the library does, and otherwise the library's order of float operations, one at a
time, so that neither the batch nor the kind of device changes a pixel. Sums over pixels are sums of whole
numbers. Workers do not import these modules.
"""
