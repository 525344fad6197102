/* The C interface of every uol operator, the same on every target.

     int         uol_<op>(void* stream, void* workspace, int64_t workspace_bytes,
                          const uol_tensor* tensors, int32_t n_tensors, const uol_attr* attrs, int32_t n_attrs);
     int64_t     uol_<op>_workspace(const uol_tensor* tensors, int32_t n_tensors, const uol_attr* attrs, int32_t n_attrs);
     const char* uol_<op>_message(int code);

   tensors   inputs, then results, in the order of the operator's text
   attrs     run-time attributes, in the order of the operator's text
   stream    the target's stream or queue; the call enqueues on it, allocates nothing and waits for nothing
   workspace device memory of at least uol_<op>_workspace(...) bytes, aligned to UOL_WORKSPACE_ALIGNMENT

   Where an operator is free in some sizes, the shapes of its tensors tell them, and uol_<op>_workspace reads those: `data`
   may still be NULL there. For tensors that it refuses it gives minus the code.

   0 is success; uol_<op>_message explains any other value: of UOL_LAUNCH_FAILED in the words of the device's driver, for the
   last call of the same thread. A call that was refused for its arguments has launched nothing. */
#ifndef UOL_ABI_H
#define UOL_ABI_H

#include <stddef.h>
#include <stdint.h>

#define UOL_ABI_VERSION 1
#define UOL_WORKSPACE_ALIGNMENT 512 /* which every target takes; uol_<op>.h says what one asks for */

typedef enum uol_dtype {
  UOL_F64 = 0,
  UOL_F32 = 1,
  UOL_F16 = 2,
  UOL_BF16 = 3,
  UOL_F8E4M3 = 4,
  UOL_F8E5M2 = 5,
  UOL_I64 = 6,
  UOL_I32 = 7,
  UOL_I16 = 8,
  UOL_I8 = 9,
  UOL_U8 = 10,
  UOL_BOOL = 11
} uol_dtype;

/* `strides` count elements; NULL means dense and row-major. `data` is the address of element [0, 0, ...]. */
typedef struct uol_tensor {
  void* data;
  const int64_t* shape;
  const int64_t* strides;
  int32_t ndim;
  int32_t dtype;
} uol_tensor;

typedef enum uol_attr_kind { UOL_ATTR_FLOAT = 0, UOL_ATTR_INT = 1 } uol_attr_kind;

typedef struct uol_attr {
  int32_t kind;
  union {
    double f;
    int64_t i;
  } value;
} uol_attr;

/* Codes of a refused call. A tensor's code is UOL_BAD_TENSOR(position, reason). */
enum {
  UOL_OK = 0,
  UOL_BAD_TENSOR_COUNT = 1,
  UOL_BAD_ATTR_COUNT = 2,
  UOL_BAD_ATTR_KIND = 3,
  UOL_BAD_WORKSPACE = 4,
  UOL_LAUNCH_FAILED = 5,
  UOL_BAD_SIZES = 6
};
enum { UOL_BAD_POINTER = 0, UOL_BAD_DTYPE = 1, UOL_BAD_NDIM = 2, UOL_BAD_SHAPE = 3, UOL_BAD_STRIDES = 4, UOL_REASONS = 5 };
#define UOL_BAD_TENSOR(position, reason) (16 + (position) * UOL_REASONS + (reason))

/* What a compiled operator was built for. */
typedef struct uol_expected {
  const int64_t* shape;
  const int64_t* strides;
  int32_t ndim;
  int32_t dtype;
  int32_t element_bytes;
} uol_expected;

/* Strides count only along dims of two or more; an empty tensor needs neither strides nor data. */
static inline int uol_check_tensor(const uol_tensor* tensor, const uol_expected* expected, int position) {
  int64_t dense = 1;
  int empty = 0;
  if (tensor->dtype != expected->dtype) return UOL_BAD_TENSOR(position, UOL_BAD_DTYPE);
  if (tensor->ndim != expected->ndim) return UOL_BAD_TENSOR(position, UOL_BAD_NDIM);
  if (expected->ndim > 0 && tensor->shape == NULL) return UOL_BAD_TENSOR(position, UOL_BAD_POINTER);
  for (int32_t d = 0; d < expected->ndim; ++d) {
    if (tensor->shape[d] != expected->shape[d]) return UOL_BAD_TENSOR(position, UOL_BAD_SHAPE);
    empty |= expected->shape[d] == 0;
  }
  if (empty) return UOL_OK;
  for (int32_t d = expected->ndim - 1; d >= 0; --d) {
    const int64_t stride = tensor->strides == NULL ? dense : tensor->strides[d];
    if (expected->shape[d] > 1 && stride != expected->strides[d]) return UOL_BAD_TENSOR(position, UOL_BAD_STRIDES);
    dense *= expected->shape[d];
  }
  if (tensor->data == NULL || (uintptr_t)tensor->data % (uintptr_t)expected->element_bytes != 0)
    return UOL_BAD_TENSOR(position, UOL_BAD_POINTER);
  return UOL_OK;
}

static inline int uol_check_tensors(const uol_tensor* tensors, int32_t n_tensors, const uol_expected* expected, int32_t n_expected) {
  if (n_tensors != n_expected || (n_expected > 0 && tensors == NULL)) return UOL_BAD_TENSOR_COUNT;
  for (int32_t i = 0; i < n_expected; ++i) {
    const int code = uol_check_tensor(&tensors[i], &expected[i], i);
    if (code != UOL_OK) return code;
  }
  return UOL_OK;
}

/* `kinds` holds a uol_attr_kind an attribute. */
static inline int uol_check_attrs(const uol_attr* attrs, int32_t n_attrs, const int32_t* kinds, int32_t n_kinds) {
  if (n_attrs != n_kinds || (n_kinds > 0 && attrs == NULL)) return UOL_BAD_ATTR_COUNT;
  for (int32_t i = 0; i < n_kinds; ++i)
    if (attrs[i].kind != kinds[i]) return UOL_BAD_ATTR_KIND;
  return UOL_OK;
}

static inline int uol_check_workspace(const void* workspace, int64_t workspace_bytes, int64_t needed_bytes, int64_t alignment) {
  if (needed_bytes == 0) return UOL_OK;
  if (workspace == NULL || workspace_bytes < needed_bytes) return UOL_BAD_WORKSPACE;
  return (uintptr_t)workspace % (uintptr_t)alignment == 0 ? UOL_OK : UOL_BAD_WORKSPACE;
}

#endif
