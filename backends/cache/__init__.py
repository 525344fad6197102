"""What is kept between processes.

    folder.py, disk_errors.py    where it lies, whether it may be trusted, what the system says of it
    files.py             kernels on disk
    records.py           data as bytes, and back
    sources.py           the sources that a kernel depends on
"""
