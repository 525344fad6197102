"""The C interface of operators, shared by every target: `uol_abi.h`, the header of one operator, the checks of a call, the
workspace."""
