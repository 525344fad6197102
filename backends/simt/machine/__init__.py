"""What is known of machines with threads.

    limits.py    of all of them                 target.py   what CUDA and HIP do not share
    fitting.py   does a launch fit one?         matrix_units.py   what matrix units do, as data
    main_loop.py   what the main loop of a binary's kernel is made of
"""
