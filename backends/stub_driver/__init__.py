"""A driver of no card: CUDA's and HIP's calls in one library, which records them and computes nothing.

    stub.py                             the library in this process, and beside another one; what it recorded
    images.py                           binaries that it takes for those of an architecture
    loading.py                          operators on it
    machine.h, machine.cpp              devices, images, the record, failures that a test asks for
    driver.cpp, memory.cpp              the calls
    answers.cpp                         what kernels write, where somebody has computed that beforehand: played back

Device memory is host memory. It refuses what a driver refuses: a binary of another architecture, a launch in another context,
shared memory that was not asked for, an address that is none, allocations and waits while a stream is captured. What a kernel
does, it does not know: the twin runs the texts, and what it found can be played back.
"""
