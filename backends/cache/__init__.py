"""What is kept between processes.

files.py             kernels on disk: where they lie, and whether the folder may be trusted; the sources in their keys
disk_errors.py       what the system says of folders that cannot be written
records.py           data as bytes, and back
"""
