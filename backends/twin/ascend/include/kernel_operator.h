// The twin's kernel_operator.h: the part of Ascend C for the 910B (dav-c220) that kernels here may use, run on a CPU.
// Signatures and names follow the vendor's include/basic_api; what each call checks is in ../README.md.
// Lean on purpose: no standard header but <stdint.h> and <initializer_list>; all work is done by the precompiled runtime behind
// ascend/machine.h.
#pragma once
#include "ascend/compare.h"
#include "ascend/copy.h"
#include "ascend/cube.h"
#include "ascend/move.h"
#include "ascend/reduce.h"
#include "ascend/sync.h"
#include "ascend/tensor.h"
#include "ascend/vector_binary.h"
#include "ascend/vector_cast.h"
#include "ascend/vector_unary.h"
