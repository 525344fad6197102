// NVIDIA's driver as launchers call it. Calls and numbers: CUDA Driver API reference.
#pragma once

#include <stdint.h>

namespace {

struct uol_driver {
  static constexpr const char* libraries[] = {"libcuda.so.1"};
  static constexpr const char* load_name = "cuModuleLoadData";
  static constexpr const char* find_name = "cuModuleGetFunction";
  static constexpr const char* launch_name = "cuLaunchKernel";
  static constexpr const char* place_name = "cuCtxGetCurrent";
  static constexpr const char* admit_name = "cuFuncSetAttribute";
  static constexpr const char* text_name = "cuGetErrorString";

  int (*load_)(void**, const void*);
  int (*find_)(void**, void*, const char*);
  int (*launch_)(void*, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void*, void**, void**);
  int (*place_)(void**);
  int (*admit_)(void*, int, int);
  int (*text_)(int, const char**);
  int (*init_)(unsigned);
  int (*attribute_)(void*, int, uint64_t);
  int (*retain_)(void**, int);
  int (*enter_)(void*);

  template <class LookUp> bool look_up(LookUp look_up) {
    return look_up("cuInit", &init_) && look_up("cuPointerGetAttribute", &attribute_) &&
           look_up("cuDevicePrimaryCtxRetain", &retain_) && look_up("cuCtxSetCurrent", &enter_);
  }

  // The context of the calling thread, which its work goes to. What was loaded in one that is destroyed (cudaDeviceReset) is
  // gone.
  int place(uint64_t* place, const void* memory) const {
    void* context = nullptr;
    int status = place_(&context);
    if (status == 0 && context == nullptr) status = enter(memory, &context);
    *place = (uint64_t)(uintptr_t)context;
    return status;
  }
  // A thread that has none enters the primary context of the device that the memory lies on, and stays in it, as it would with
  // CUDA's runtime. Of memory that the driver does not know it is device 0's.
  int enter(const void* memory, void** context) const {
    constexpr int device_ordinal = 9;  // CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL
    int device = 0;
    if (const int status = init_(0)) return status;
    if (memory == nullptr || attribute_(&device, device_ordinal, (uint64_t)(uintptr_t)memory) != 0) device = 0;
    if (const int status = retain_(context, device)) return status;
    return enter_(*context);
  }
  // More than 48 KB of dynamic shared memory is for kernels that ask for it.
  int admit(void* function, int shared_bytes) const {
    constexpr int max_dynamic_shared_bytes = 8, free_of_it = 48 * 1024;
    return shared_bytes > free_of_it ? admit_(function, max_dynamic_shared_bytes, shared_bytes) : 0;
  }
  const char* text(int status) const {
    const char* text = nullptr;
    return text_(status, &text) == 0 && text != nullptr ? text : "no text for this status";
  }
};

}  // namespace
