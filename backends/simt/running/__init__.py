"""From kernels to calls.

    module_files.py                         files of a module          runtime_compiler.py   a vendor's compiler as a library
    loading.py, foreach_loading.py          a binary becomes calls     torch_side.py         PyTorch's devices and streams
    driver_api.py, driver_device.py         the driver's calls, a device of it
    card_driver.py                          the driver's calls for a pack, alone
"""
