// AMD's runtime as launchers call it. Calls: HIP runtime API reference.
#pragma once

#include <stdint.h>

namespace {

struct uol_driver {
  static constexpr const char* libraries[] = {"libamdhip64.so", "libamdhip64.so.7", "libamdhip64.so.6", "libamdhip64.so.5"};
  static constexpr const char* load_name = "hipModuleLoadData";
  static constexpr const char* find_name = "hipModuleGetFunction";
  static constexpr const char* launch_name = "hipModuleLaunchKernel";
  static constexpr const char* place_name = "hipGetDevice";
  static constexpr const char* admit_name = "hipModuleGetFunction";
  static constexpr const char* text_name = "hipGetErrorString";

  int (*load_)(void**, const void*);
  int (*find_)(void**, void*, const char*);
  int (*launch_)(void*, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void*, void**, void**);
  int (*place_)(int*);
  void* (*admit_)();  // not called
  const char* (*text_)(int);

  template <class LookUp> bool look_up(LookUp) { return true; }

  // The current device of the calling thread.
  int place(uint64_t* place, const void*) const {
    int device = 0;
    const int status = place_(&device);
    *place = (uint64_t)device;
    return status;
  }
  // A kernel may take all of a block's 64 KB of LDS without asking: hipFuncSetAttribute is for other platforms.
  int admit(void*, int) const { return 0; }
  const char* text(int status) const { return text_(status); }
};

}  // namespace
