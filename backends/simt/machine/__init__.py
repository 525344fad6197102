"""What is known of machines with threads.

    limits.py    of all of them                 target.py   what CUDA and HIP do not share
    fitting.py   does a launch fit one?         matrix_units.py   what matrix units do, as data
    fragments.py   the products that a warp has, and where their elements lie
    matrix_primitives.py   what texts on matrix units call
    main_loop.py   what the main loop of a binary's kernel is made of
"""
