// The machine that the stub driver stands for: devices, memory, modules, streams, and the record of all calls.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace stub {

// Statuses have the same numbers in both vendors' drivers (cuda.h, CUresult; hip_runtime_api.h, hipError_t).
enum Status {
    success = 0,
    invalid_value = 1,
    out_of_memory = 2,
    not_initialised = 3,
    invalid_device = 101,
    invalid_image = 200,
    invalid_context = 201,
    no_binary_for_device = 209,
    invalid_handle = 400,
    not_found = 500,
    capture_unsupported = 900,
};

const char* text_of(int status);

constexpr unsigned shared_without_asking = 48 * 1024;
constexpr int attribute_cores[] = {16, 63}, attribute_major = 75, attribute_minor = 76;
constexpr int attribute_shared[] = {97, 74};  // the most that a block may have
constexpr int attribute_dynamic_shared = 8;   // of a function
constexpr int attribute_device_of_memory = 9;

enum Vendor { cuda, hip };

struct Device {
    Vendor vendor;
    int index;  // among its vendor's
    std::string name, architecture;
    int cores;
    size_t memory_bytes;
    unsigned shared_bytes;
    size_t used_bytes = 0;

    bool runs(const char* image) const;
    int capability() const { return std::stoi(architecture.substr(3)); }
};

struct Module {
    Device* device;
    std::string image;
};

struct Function {
    Module* module;
    std::string name;
    unsigned dynamic_shared;
};

struct Stream {
    Device* device;
    bool capturing;
};

struct Block {
    Device* device;
    size_t size_bytes;
    std::unique_ptr<char[]> bytes;
};

struct Failure {
    int after, times, status;
};

struct Machine {
    std::recursive_mutex lock;
    std::vector<std::unique_ptr<Device>> devices;
    std::map<uintptr_t, Block> memory;
    std::map<void*, std::unique_ptr<Module>> modules;
    std::map<void*, std::unique_ptr<Function>> functions;
    std::map<void*, std::unique_ptr<Stream>> streams;
    std::map<std::string, Failure> failures;
    std::map<std::string, std::vector<int>> parameters;  // bytes of each, by kernel
    std::string record;
    bool recording = true;
    FILE* file = nullptr;

    Machine();
    Device* device(Vendor vendor, int index);
    int count(Vendor vendor) const;
    Device* add(const std::string& architecture, const std::string& name, int cores, size_t memory, unsigned shared);
    Block* block_of(uintptr_t address, size_t size_bytes);
    bool capturing() const;
};

Machine& machine();

// What is current in a thread: nothing at first for CUDA, device 0 for HIP.
Device* current(Vendor vendor);
int& current_index(Vendor vendor);

// One call: its fields are recorded with its status when it ends; it fails where that was asked for.
class Call {
public:
    explicit Call(const char* name);
    Call& field(const char* name, uint64_t value);
    Call& field(const char* name, const std::string& value);
    Call& list(const char* name, const std::vector<uint64_t>& values);
    int failure() const { return injected; }
    int end(int status);

private:
    std::lock_guard<std::recursive_mutex> guard;
    std::string name, fields;
    bool recorded;
    int injected = success;
};

size_t image_bytes(const char* image);
void play_back(const Function& function, void** parameters);

inline uint64_t number(const void* pointer) { return reinterpret_cast<uintptr_t>(pointer); }

}  // namespace stub

#define EXPORT extern "C" __attribute__((visibility("default")))
#define FAIL_IF_ASKED(call) \
    if (call.failure()) return call.end(call.failure())
#define REQUIRE(call, condition, status) \
    if (!(condition)) return call.end(status)
