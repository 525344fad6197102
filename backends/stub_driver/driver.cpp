// The calls of both drivers. What the vendors share is written once; the exported names say which vendor's devices are meant.
#include "machine.h"

using namespace stub;

// ---- devices

static int count_of(const char* name, Vendor vendor, int* count) {
    Call call(name);
    FAIL_IF_ASKED(call);
    *count = machine().count(vendor);
    return call.end(vendor == hip && !*count ? 100 : success);
}

static int attribute_of(const char* name, Vendor vendor, int* value, int attribute, int index) {
    Call call(name);
    call.field("attribute", uint64_t(attribute)).field("device", uint64_t(index));
    FAIL_IF_ASKED(call);
    const Device* device = machine().device(vendor, index);
    REQUIRE(call, device, invalid_device);
    if (attribute == attribute_cores[vendor]) *value = device->cores;
    else if (attribute == attribute_shared[vendor]) *value = int(device->shared_bytes);
    else if (vendor == cuda && attribute == attribute_major) *value = device->capability() / 10;
    else if (vendor == cuda && attribute == attribute_minor) *value = device->capability() % 10;
    else return call.end(invalid_value);
    return call.end(success);
}

static int name_of(const char* name, Vendor vendor, char* text, int size, int index) {
    Call call(name);
    call.field("device", uint64_t(index));
    FAIL_IF_ASKED(call);
    const Device* device = machine().device(vendor, index);
    REQUIRE(call, device && size > 0, invalid_device);
    snprintf(text, size_t(size), "%s", device->name.c_str());
    return call.end(success);
}

static int total_of(const char* name, Vendor vendor, size_t* bytes, int index) {
    Call call(name);
    call.field("device", uint64_t(index));
    FAIL_IF_ASKED(call);
    const Device* device = machine().device(vendor, index);
    REQUIRE(call, device, invalid_device);
    *bytes = device->memory_bytes;
    return call.end(success);
}

static int info_of(const char* name, Vendor vendor, size_t* left, size_t* total) {
    Call call(name);
    FAIL_IF_ASKED(call);
    REQUIRE(call, current(vendor), invalid_context);
    *total = current(vendor)->memory_bytes;
    *left = *total - current(vendor)->used_bytes;
    return call.end(success);
}

EXPORT int cuInit(unsigned flags) {
    Call call("cuInit");
    FAIL_IF_ASKED(call);
    return call.end(flags ? invalid_value : machine().count(cuda) ? success : 100);
}
EXPORT int hipInit(unsigned) {
    Call call("hipInit");
    FAIL_IF_ASKED(call);
    return call.end(success);
}
EXPORT int cuDriverGetVersion(int* version) { return *version = 13000, Call("cuDriverGetVersion").end(success); }
EXPORT int hipDriverGetVersion(int* version) { return *version = 60000000, Call("hipDriverGetVersion").end(success); }
EXPORT int hipRuntimeGetVersion(int* version) { return *version = 60000000, Call("hipRuntimeGetVersion").end(success); }
EXPORT int cuDeviceGetCount(int* count) { return count_of("cuDeviceGetCount", cuda, count); }
EXPORT int hipGetDeviceCount(int* count) { return count_of("hipGetDeviceCount", hip, count); }
EXPORT int cuDeviceGet(int* device, int index) {
    Call call("cuDeviceGet");
    call.field("device", uint64_t(index));
    FAIL_IF_ASKED(call);
    *device = index;
    return call.end(machine().device(cuda, index) ? success : invalid_device);
}
EXPORT int cuDeviceGetAttribute(int* value, int attribute, int device) {
    return attribute_of("cuDeviceGetAttribute", cuda, value, attribute, device);
}
EXPORT int hipDeviceGetAttribute(int* value, int attribute, int device) {
    return attribute_of("hipDeviceGetAttribute", hip, value, attribute, device);
}
EXPORT int cuDeviceGetName(char* text, int size, int device) { return name_of("cuDeviceGetName", cuda, text, size, device); }
EXPORT int hipDeviceGetName(char* text, int size, int device) { return name_of("hipDeviceGetName", hip, text, size, device); }
EXPORT int cuDeviceTotalMem_v2(size_t* bytes, int device) { return total_of("cuDeviceTotalMem_v2", cuda, bytes, device); }
EXPORT int hipDeviceTotalMem(size_t* bytes, int device) { return total_of("hipDeviceTotalMem", hip, bytes, device); }
// The properties that tell the architecture, which in every version is the one text that begins so.
EXPORT int hipGetDevicePropertiesR0600(void* properties, int index) {
    Call call("hipGetDevicePropertiesR0600");
    call.field("device", uint64_t(index));
    FAIL_IF_ASKED(call);
    const Device* device = machine().device(hip, index);
    REQUIRE(call, device, invalid_device);
    strcpy(static_cast<char*>(properties) + 1160, device->architecture.c_str());
    return call.end(success);
}
EXPORT int cuMemGetInfo_v2(size_t* left, size_t* total) { return info_of("cuMemGetInfo_v2", cuda, left, total); }
EXPORT int hipMemGetInfo(size_t* left, size_t* total) { return info_of("hipMemGetInfo", hip, left, total); }

// ---- what is current: a context of CUDA's is a number that tells its device

static void* context_of(int device) { return device < 0 ? nullptr : reinterpret_cast<void*>(0xc0de00 + uintptr_t(device)); }
static int device_of(const void* context) { return context ? int(number(context) - 0xc0de00) : -1; }

static std::vector<int>& pushed() {
    static thread_local std::vector<int> devices;
    return devices;
}

EXPORT int cuDevicePrimaryCtxRetain(void** context, int device) {
    Call call("cuDevicePrimaryCtxRetain");
    call.field("device", uint64_t(device));
    FAIL_IF_ASKED(call);
    REQUIRE(call, machine().device(cuda, device), invalid_device);
    *context = context_of(device);
    return call.end(success);
}
EXPORT int cuDevicePrimaryCtxRelease_v2(int device) {
    return Call("cuDevicePrimaryCtxRelease_v2").field("device", uint64_t(device)).end(success);
}
EXPORT int cuPointerGetAttribute(void* value, int attribute, uint64_t address) {
    Call call("cuPointerGetAttribute");
    call.field("attribute", uint64_t(attribute)).field("address", address);
    FAIL_IF_ASKED(call);
    const Block* block = machine().block_of(uintptr_t(address), 0);
    REQUIRE(call, block && attribute == attribute_device_of_memory, invalid_value);
    *static_cast<int*>(value) = block->device->index;
    return call.end(success);
}
EXPORT int cuCtxGetCurrent(void** context) {
    Call call("cuCtxGetCurrent");
    FAIL_IF_ASKED(call);
    *context = context_of(current_index(cuda));
    return call.end(success);
}

static int make_current(const char* name, Vendor vendor, int device) {
    Call call(name);
    call.field("device", uint64_t(device));
    FAIL_IF_ASKED(call);
    REQUIRE(call, (vendor == cuda && device == -1) || machine().device(vendor, device), invalid_device);
    current_index(vendor) = device;
    return call.end(success);
}

EXPORT int cuCtxSetCurrent(void* context) { return make_current("cuCtxSetCurrent", cuda, device_of(context)); }
EXPORT int hipSetDevice(int device) { return make_current("hipSetDevice", hip, device); }
EXPORT int cuCtxPushCurrent_v2(void* context) {
    pushed().push_back(current_index(cuda));
    return make_current("cuCtxPushCurrent_v2", cuda, device_of(context));
}
EXPORT int cuCtxPopCurrent_v2(void** context) {
    if (pushed().empty()) return Call("cuCtxPopCurrent_v2").end(invalid_context);
    if (context) *context = context_of(current_index(cuda));
    const int before = pushed().back();
    pushed().pop_back();
    return make_current("cuCtxPopCurrent_v2", cuda, before);
}

static int current_device(const char* name, Vendor vendor, int* device) {
    Call call(name);
    FAIL_IF_ASKED(call);
    REQUIRE(call, current(vendor), invalid_context);
    *device = current_index(vendor);
    return call.end(success);
}

EXPORT int cuCtxGetDevice(int* device) { return current_device("cuCtxGetDevice", cuda, device); }
EXPORT int hipGetDevice(int* device) { return current_device("hipGetDevice", hip, device); }

// ---- modules and launches

static int load(const char* name, Vendor vendor, void** module, const void* image) {
    Call call(name);
    FAIL_IF_ASKED(call);
    REQUIRE(call, current(vendor), invalid_context);
    REQUIRE(call, image && image_bytes(static_cast<const char*>(image)), invalid_image);
    const std::string bytes(static_cast<const char*>(image), image_bytes(static_cast<const char*>(image)));
    call.field("device", uint64_t(current_index(vendor))).field("bytes", bytes.size());
    call.field("kind", bytes[0] == '\177' ? "elf" : bytes[0] == '_' ? "bundle" : "text");
    REQUIRE(call, current(vendor)->runs(bytes.c_str()), no_binary_for_device);
    auto loaded = std::make_unique<Module>(Module{current(vendor), bytes});
    *module = loaded.get();
    machine().modules[*module] = std::move(loaded);
    return call.end(success);
}

static int unload(const char* name, void* module) {
    Call call(name);
    FAIL_IF_ASKED(call);
    return call.end(machine().modules.erase(module) ? success : invalid_handle);
}

static int find(const char* name, void** function, void* module, const char* symbol) {
    Call call(name);
    call.field("name", symbol);
    FAIL_IF_ASKED(call);
    REQUIRE(call, machine().modules.count(module), invalid_handle);
    Module* from = machine().modules[module].get();
    REQUIRE(call, from->image.find(symbol) != std::string::npos, not_found);
    auto found = std::make_unique<Function>(Function{from, symbol, shared_without_asking});
    *function = found.get();
    machine().functions[*function] = std::move(found);
    return call.end(success);
}

static std::vector<uint64_t> values(const std::vector<int>& sizes, void** parameters) {
    std::vector<uint64_t> found;
    for (size_t n = 0; n < sizes.size(); ++n) {
        uint64_t value = 0;
        memcpy(&value, parameters[n], size_t(sizes[n]));
        found.push_back(value);
    }
    return found;
}

struct Shape {
    unsigned grid[3], block[3], shared;

    bool fits() const {
        for (int n = 0; n < 3; ++n)
            if (!grid[n] || !block[n]) return false;
        return uint64_t(block[0]) * block[1] * block[2] <= 1024;
    }
};

static int launch(const char* name, Vendor vendor, void* handle, const Shape& shape, void* stream, void** parameters) {
    Call call(name);
    const auto found = machine().functions.find(handle);
    REQUIRE(call, found != machine().functions.end(), invalid_handle);
    const Function& function = *found->second;
    const Device* device = function.module->device;
    call.field("name", function.name).field("device", uint64_t(device->index)).field("stream", number(stream));
    call.list("grid", {shape.grid[0], shape.grid[1], shape.grid[2]});
    call.list("block", {shape.block[0], shape.block[1], shape.block[2]}).field("shared", shape.shared);
    const auto declared = machine().parameters.find(function.name);
    if (declared != machine().parameters.end()) call.list("arguments", values(declared->second, parameters));
    FAIL_IF_ASKED(call);
    REQUIRE(call, current(vendor) == device, current(vendor) ? invalid_handle : invalid_context);
    const auto on = machine().streams.find(stream);
    REQUIRE(call, number(stream) <= 2 || (on != machine().streams.end() && on->second->device == device), invalid_handle);
    const unsigned most = vendor == hip ? device->shared_bytes : function.dynamic_shared;
    REQUIRE(call, shape.fits() && shape.shared <= most, invalid_value);
    play_back(function, parameters);
    return call.end(success);
}

EXPORT int cuModuleLoadData(void** module, const void* image) { return load("cuModuleLoadData", cuda, module, image); }
EXPORT int cuModuleLoadDataEx(void** module, const void* image, unsigned, int*, void**) {
    return load("cuModuleLoadDataEx", cuda, module, image);
}
EXPORT int hipModuleLoadData(void** module, const void* image) { return load("hipModuleLoadData", hip, module, image); }
EXPORT int cuModuleUnload(void* module) { return unload("cuModuleUnload", module); }
EXPORT int hipModuleUnload(void* module) { return unload("hipModuleUnload", module); }
EXPORT int cuModuleGetFunction(void** function, void* module, const char* name) {
    return find("cuModuleGetFunction", function, module, name);
}
EXPORT int hipModuleGetFunction(void** function, void* module, const char* name) {
    return find("hipModuleGetFunction", function, module, name);
}
EXPORT int cuFuncSetAttribute(void* handle, int attribute, int value) {
    Call call("cuFuncSetAttribute");
    call.field("attribute", uint64_t(attribute)).field("value", uint64_t(value));
    FAIL_IF_ASKED(call);
    const auto found = machine().functions.find(handle);
    REQUIRE(call, found != machine().functions.end(), invalid_handle);
    REQUIRE(call, attribute == attribute_dynamic_shared && value >= 0, invalid_value);
    REQUIRE(call, unsigned(value) <= found->second->module->device->shared_bytes, invalid_value);
    found->second->dynamic_shared = unsigned(value);
    return call.end(success);
}
// As in ROCm's hip_module.cpp: it knows kernels of the program, and no function of a module.
EXPORT int hipFuncSetAttribute(const void*, int, int) { return Call("hipFuncSetAttribute").end(98); }
EXPORT int cuLaunchKernel(void* function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
                          unsigned shared, void* stream, void** parameters, void**) {
    return launch("cuLaunchKernel", cuda, function, {{gx, gy, gz}, {bx, by, bz}, shared}, stream, parameters);
}
EXPORT int hipModuleLaunchKernel(void* function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
                                 unsigned shared, void* stream, void** parameters, void**) {
    return launch("hipModuleLaunchKernel", hip, function, {{gx, gy, gz}, {bx, by, bz}, shared}, stream, parameters);
}

// What NVIDIA's own libraries ask of their driver, NVRTC in a process that finds this one under the driver's name among them.
EXPORT int cuGetExportTable(const void** table, const void*) {
    *table = nullptr;
    return not_found;
}

EXPORT int cuGetErrorString(int status, const char** text) {
    return (*text = text_of(status)) ? success : invalid_value;
}
EXPORT int cuGetErrorName(int status, const char** text) { return cuGetErrorString(status, text); }
EXPORT const char* hipGetErrorString(int status) {
    const char* found = text_of(status);
    return found ? found : "unknown error";
}
