"""Bundles: for each target a folder with everything that is shipped.

    build/softmax-cuda-a100/
      softmax.cu uol_device.h ...    the kernels and what they include
      uol_softmax.h uol_abi.h ...    the C interface, the same for every target, and the host launcher
      build.sh                       the vendor's build line, for this request
      softmax.cubin softmax.ptx      binaries, of targets that ship some, where the vendor's compiler was there
      manifest.json                  what it is and how it was made
      selftest.py                    checks the files, and through `uol check` all that follows

`hold` holds a bundle against what uol writes for the request that its manifest names: every text byte by byte, every
binary against one that is built anew, every field of the manifest.
"""

from uol.bundle.write import bundle_name, write_bundles

__all__ = ["bundle_name", "write_bundles"]
