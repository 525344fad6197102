// Kernels of a bundle, launched through the device's driver, which `uol_driver.h` describes. The driver is opened by its name
// when a launch first needs it, and the kernels are loaded once for each place that work goes to: nothing of a vendor is needed
// to build a launcher. What goes wrong is told in the driver's words.
#pragma once

#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>

#include <mutex>
#include <vector>

#include "uol_driver.h"

namespace {

// Why the last launch of this thread failed.
thread_local char uol_why[512] = "the device refused the launch";

inline bool uol_failed(const char* call, const char* text) {
  snprintf(uol_why, sizeof uol_why, "%s failed: %s", call, text);
  return false;
}

template <class Function> inline bool uol_look_up(void* library, const char* name, Function* function) {
  *function = reinterpret_cast<Function>(dlsym(library, name));
  return *function != nullptr || uol_failed(name, "the driver has no such function");
}

// The driver; null where there is none. One that the process has loaded is taken before any other.
inline const uol_driver* uol_open_driver() {
  static uol_driver driver;
  static const bool found = [] {
    void* library = nullptr;
    for (const int mode : {RTLD_NOW | RTLD_NOLOAD, RTLD_NOW})
      for (const char* name : uol_driver::libraries)
        if (library == nullptr) library = dlopen(name, mode);
    return library != nullptr && uol_look_up(library, uol_driver::load_name, &driver.load_) &&
           uol_look_up(library, uol_driver::find_name, &driver.find_) &&
           uol_look_up(library, uol_driver::launch_name, &driver.launch_) &&
           uol_look_up(library, uol_driver::place_name, &driver.place_) &&
           uol_look_up(library, uol_driver::admit_name, &driver.admit_) &&
           uol_look_up(library, uol_driver::text_name, &driver.text_) &&
           driver.look_up([library](const char* name, auto* function) { return uol_look_up(library, name, function); });
  }();
  if (!found) uol_failed(uol_driver::libraries[0], "the device's driver was not found");
  return found ? &driver : nullptr;
}

struct uol_kernel {
  const char* symbol;
  int shared_bytes;  // dynamic
};

// The kernels of an operator. `images` are binaries, the first that the device takes is loaded.
class uol_kernels {
 public:
  uol_kernels(std::vector<const void*> images, std::vector<uol_kernel> kernels) : images_(images), kernels_(kernels) {}

  // The functions where the calling thread's work goes, in order; null where they cannot be loaded. `memory` is the device's.
  void* const* functions(const uol_driver* driver, const void* memory) {
    uint64_t place = 0;
    if (const int status = driver->place(&place, memory)) return refused(driver, uol_driver::place_name, status);
    const std::lock_guard<std::mutex> lock(mutex_);
    for (const Loaded* each = loaded_; each != nullptr; each = each->next)
      if (each->place == place) return each->functions.data();
    return load(driver, place);
  }

 private:
  struct Loaded {
    uint64_t place;
    std::vector<void*> functions;
    const Loaded* next;
  };

  static void* const* refused(const uol_driver* driver, const char* call, int status) {
    uol_failed(call, driver->text(status));
    return nullptr;
  }

  void* const* load(const uol_driver* driver, uint64_t place) {
    void* module = nullptr;
    int status = 1;
    for (const void* image : images_)
      if (status != 0) status = driver->load_(&module, image);
    if (status != 0) return refused(driver, uol_driver::load_name, status);
    std::vector<void*> functions;
    for (const uol_kernel& kernel : kernels_) {
      void* function = nullptr;
      if ((status = driver->find_(&function, module, kernel.symbol))) return refused(driver, uol_driver::find_name, status);
      if ((status = driver->admit(function, kernel.shared_bytes))) return refused(driver, uol_driver::admit_name, status);
      functions.push_back(function);
    }
    loaded_ = new Loaded{place, functions, loaded_};  // as long as the process: a launch may be at hand whenever it ends
    return loaded_->functions.data();
  }

  const std::vector<const void*> images_;
  const std::vector<uol_kernel> kernels_;
  std::mutex mutex_;
  const Loaded* loaded_ = nullptr;
};

// The first of a call's buffers that has elements.
template <class Tensor> inline const void* uol_memory_of(const Tensor* tensors, int32_t n_tensors) {
  for (int32_t n = 0; n < n_tensors; ++n)
    if (tensors[n].data != nullptr) return tensors[n].data;
  return nullptr;
}

struct uol_size {
  unsigned x, y, z;
};

inline bool uol_enqueue(
    const uol_driver* driver, void* function, uol_size grid, uol_size block, unsigned shared_bytes, void* stream, void** arguments) {
  const int status = driver->launch_(
      function, grid.x, grid.y, grid.z, block.x, block.y, block.z, shared_bytes, stream, arguments, nullptr);
  return status == 0 || uol_failed(uol_driver::launch_name, driver->text(status));
}

}  // namespace
