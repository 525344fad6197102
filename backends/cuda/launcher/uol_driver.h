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

  // The context of the calling thread, which its work goes to: whoever has memory of the device has one. What was loaded in one
  // that is destroyed (cudaDeviceReset) is gone.
  int place(uint64_t* place) const {
    constexpr int invalid_context = 201;
    void* context = nullptr;
    const int status = place_(&context);
    *place = (uint64_t)(uintptr_t)context;
    return status == 0 && context == nullptr ? invalid_context : status;
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
