// A driver of a device that is not there, for launchers: it notes each call on a line of standard output. With -DSTUB_HIP it is
// AMD's runtime, else NVIDIA's driver. UOL_STUB_FAIL="cuLaunchKernel 700" lets every call of that name fail with the status;
// UOL_STUB_NO_BINARIES=1 refuses images that are no text, as a device does that has another architecture.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

static int context = 1;  // an address, and the number of a device
static uint64_t functions = 0x1000;

static int said(const char* call) {
  char name[64];
  int status = 0;
  const char* wanted = getenv("UOL_STUB_FAIL");
  return wanted && sscanf(wanted, "%63s %d", name, &status) == 2 && strcmp(name, call) == 0 ? status : 0;
}

static int load(const char* call, void** module, const void* image) {
  const bool binary = memcmp(image, "\x7f" "ELF", 4) == 0;
  const int status = binary && getenv("UOL_STUB_NO_BINARIES") ? 209 : said(call);
  printf("%s %s -> %d\n", call, binary ? "binary" : "text", status);
  *module = (void*)(uintptr_t)0x77;
  return status;
}
static int find(const char* call, void** function, void* module, const char* name) {
  printf("%s %s of %p\n", call, name, module);
  *function = (void*)(uintptr_t)(functions += 0x10);
  return said(call);
}
static int launch(const char* call, void* function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
    unsigned shared, void* stream, void** arguments) {
  printf("%s %p grid %u %u %u block %u %u %u shared %u stream %p first %p\n", call, function, gx, gy, gz, bx, by, bz, shared,
      stream, *(void**)arguments[0]);
  return said(call);
}

extern "C" {
void stub_move(int place) { context = place; }
#ifdef STUB_HIP
int hipModuleLoadData(void** module, const void* image) { return load(__func__, module, image); }
int hipModuleGetFunction(void** function, void* module, const char* name) { return find(__func__, function, module, name); }
int hipModuleLaunchKernel(void* f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared,
    void* stream, void** arguments, void**) { return launch(__func__, f, gx, gy, gz, bx, by, bz, shared, stream, arguments); }
int hipGetDevice(int* device) { *device = context; return said(__func__); }
const char* hipGetErrorString(int status) { return status == 700 ? "an illegal memory access was encountered" : "another error"; }
#else
int cuModuleLoadData(void** module, const void* image) { return load(__func__, module, image); }
int cuModuleGetFunction(void** function, void* module, const char* name) { return find(__func__, function, module, name); }
int cuLaunchKernel(void* f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared,
    void* stream, void** arguments, void**) { return launch(__func__, f, gx, gy, gz, bx, by, bz, shared, stream, arguments); }
int cuCtxGetCurrent(void** current) { *current = (void*)(uintptr_t)context; return said(__func__); }
int cuInit(unsigned) { return said(__func__); }
int cuPointerGetAttribute(void* device, int attribute, uint64_t address) {  // a device has 4096 bytes
  *(int*)device = attribute == 9 ? (int)(address / 4096) : -1;
  return said(__func__);
}
int cuDevicePrimaryCtxRetain(void** primary, int device) {
  printf("cuDevicePrimaryCtxRetain %d\n", device);
  *primary = (void*)(uintptr_t)(0x100 + device);
  return said(__func__);
}
int cuCtxSetCurrent(void* entered) {
  printf("cuCtxSetCurrent %p\n", entered);
  context = (int)(uintptr_t)entered;
  return said(__func__);
}
int cuFuncSetAttribute(void* function, int attribute, int value) {
  printf("cuFuncSetAttribute %p %d %d\n", function, attribute, value);
  return said(__func__);
}
int cuGetErrorString(int status, const char** text) {
  *text = status == 700 ? "an illegal memory access was encountered" : status == 201 ? "invalid device context" : "another error";
  return 0;
}
#endif
}
