// Memory, streams, events and ranges of the stub driver. Device memory is host memory, each block with an end of its own.
#include <chrono>

#include "machine.h"

using namespace stub;

// ---- memory

static int allocate(const char* name, Vendor vendor, void** address, size_t size_bytes) {
    Call call(name);
    call.field("bytes", size_bytes);
    FAIL_IF_ASKED(call);
    Device* device = current(vendor);
    REQUIRE(call, device, invalid_context);
    REQUIRE(call, size_bytes, invalid_value);
    REQUIRE(call, !machine().capturing(), capture_unsupported);
    REQUIRE(call, device->used_bytes + size_bytes <= device->memory_bytes, out_of_memory);
    std::unique_ptr<char[]> bytes(new char[size_bytes + 256]);
    const uintptr_t start = (number(bytes.get()) + 255) / 256 * 256;
    device->used_bytes += size_bytes;
    machine().memory[start] = Block{device, size_bytes, std::move(bytes)};
    *address = reinterpret_cast<void*>(start);
    return call.field("address", start).field("device", uint64_t(device->index)).end(success);
}

static int release(const char* name, void* address) {
    Call call(name);
    call.field("address", number(address));
    FAIL_IF_ASKED(call);
    const auto found = machine().memory.find(number(address));
    REQUIRE(call, found != machine().memory.end(), invalid_value);
    found->second.device->used_bytes -= found->second.size_bytes;
    machine().memory.erase(found);
    return call.end(success);
}

enum Direction { to_device, to_host, within };

static int copy(const char* name, Direction way, void* to, const void* from, size_t size_bytes, void* stream = nullptr) {
    Call call(name);
    call.field("to", number(to)).field("from", number(from)).field("bytes", size_bytes).field("stream", number(stream));
    FAIL_IF_ASKED(call);
    REQUIRE(call, way == to_host || machine().block_of(number(to), size_bytes), invalid_value);
    REQUIRE(call, way == to_device || machine().block_of(number(from), size_bytes), invalid_value);
    REQUIRE(call, !machine().capturing(), capture_unsupported);
    memmove(to, from, size_bytes);
    return call.end(success);
}

static int fill(const char* name, void* to, int value, size_t size_bytes) {
    Call call(name);
    call.field("to", number(to)).field("bytes", size_bytes);
    FAIL_IF_ASKED(call);
    REQUIRE(call, machine().block_of(number(to), size_bytes), invalid_value);
    memset(to, value, size_bytes);
    return call.end(success);
}

EXPORT int cuMemAlloc_v2(void** address, size_t size) { return allocate("cuMemAlloc_v2", cuda, address, size); }
EXPORT int hipMalloc(void** address, size_t size) { return allocate("hipMalloc", hip, address, size); }
EXPORT int cuMemFree_v2(void* address) { return release("cuMemFree_v2", address); }
EXPORT int hipFree(void* address) { return release("hipFree", address); }
EXPORT int cuMemcpyHtoD_v2(void* to, const void* from, size_t size) { return copy("cuMemcpyHtoD_v2", to_device, to, from, size); }
EXPORT int cuMemcpyDtoH_v2(void* to, const void* from, size_t size) { return copy("cuMemcpyDtoH_v2", to_host, to, from, size); }
EXPORT int cuMemcpyDtoD_v2(void* to, const void* from, size_t size) { return copy("cuMemcpyDtoD_v2", within, to, from, size); }
EXPORT int hipMemcpyHtoD(void* to, const void* from, size_t size) { return copy("hipMemcpyHtoD", to_device, to, from, size); }
EXPORT int hipMemcpyDtoH(void* to, const void* from, size_t size) { return copy("hipMemcpyDtoH", to_host, to, from, size); }
EXPORT int hipMemcpyDtoD(void* to, const void* from, size_t size) { return copy("hipMemcpyDtoD", within, to, from, size); }
EXPORT int cuMemcpyHtoDAsync_v2(void* to, const void* from, size_t size, void* stream) {
    return copy("cuMemcpyHtoDAsync_v2", to_device, to, from, size, stream);
}
EXPORT int hipMemcpyHtoDAsync(void* to, const void* from, size_t size, void* stream) {
    return copy("hipMemcpyHtoDAsync", to_device, to, from, size, stream);
}
EXPORT int cuMemsetD8_v2(void* to, unsigned char value, size_t size) { return fill("cuMemsetD8_v2", to, value, size); }
EXPORT int cuMemsetD8Async(void* to, unsigned char value, size_t size, void*) { return fill("cuMemsetD8Async", to, value, size); }
EXPORT int hipMemsetAsync(void* to, int value, size_t size, void*) { return fill("hipMemsetAsync", to, value, size); }
EXPORT int hipMemset(void* to, int value, size_t size) { return fill("hipMemset", to, value, size); }

// ---- streams, capture, events

static int make_stream(const char* name, Vendor vendor, void** stream) {
    Call call(name);
    FAIL_IF_ASKED(call);
    REQUIRE(call, current(vendor), invalid_context);
    auto made = std::make_unique<Stream>(Stream{current(vendor), false});
    *stream = made.get();
    machine().streams[*stream] = std::move(made);
    return call.field("stream", number(*stream)).end(success);
}

static int drop_stream(const char* name, void* stream) {
    Call call(name);
    return call.end(machine().streams.erase(stream) ? success : invalid_handle);
}

static int wait(const char* name, void* stream) {
    Call call(name);
    call.field("stream", number(stream));
    FAIL_IF_ASKED(call);
    REQUIRE(call, number(stream) <= 2 || machine().streams.count(stream), invalid_handle);
    return call.end(machine().capturing() ? capture_unsupported : success);
}

static int capture(const char* name, void* stream, bool begins) {
    Call call(name);
    call.field("stream", number(stream));
    FAIL_IF_ASKED(call);
    const auto found = machine().streams.find(stream);
    REQUIRE(call, found != machine().streams.end() && found->second->capturing != begins, invalid_handle);
    found->second->capturing = begins;
    return call.end(success);
}

static int is_capturing(const char* name, void* stream, int* state) {
    Call call(name);
    call.field("stream", number(stream));
    FAIL_IF_ASKED(call);
    const auto found = machine().streams.find(stream);
    REQUIRE(call, number(stream) <= 2 || found != machine().streams.end(), invalid_handle);
    *state = found != machine().streams.end() && found->second->capturing;
    return call.end(success);
}

EXPORT int cuStreamIsCapturing(void* stream, int* state) { return is_capturing("cuStreamIsCapturing", stream, state); }
EXPORT int hipStreamIsCapturing(void* stream, int* state) { return is_capturing("hipStreamIsCapturing", stream, state); }
EXPORT int cuStreamCreate(void** stream, unsigned) { return make_stream("cuStreamCreate", cuda, stream); }
EXPORT int hipStreamCreate(void** stream) { return make_stream("hipStreamCreate", hip, stream); }
EXPORT int hipStreamCreateWithFlags(void** stream, unsigned) { return make_stream("hipStreamCreateWithFlags", hip, stream); }
EXPORT int cuStreamDestroy_v2(void* stream) { return drop_stream("cuStreamDestroy_v2", stream); }
EXPORT int hipStreamDestroy(void* stream) { return drop_stream("hipStreamDestroy", stream); }
EXPORT int cuStreamSynchronize(void* stream) { return wait("cuStreamSynchronize", stream); }
EXPORT int hipStreamSynchronize(void* stream) { return wait("hipStreamSynchronize", stream); }
EXPORT int cuCtxSynchronize() { return wait("cuCtxSynchronize", nullptr); }
EXPORT int hipDeviceSynchronize() { return wait("hipDeviceSynchronize", nullptr); }
EXPORT int cuStreamBeginCapture_v2(void* stream, int) { return capture("cuStreamBeginCapture_v2", stream, true); }
EXPORT int hipStreamBeginCapture(void* stream, int) { return capture("hipStreamBeginCapture", stream, true); }
EXPORT int cuStreamEndCapture(void* stream, void** graph) {
    return *graph = stream, capture("cuStreamEndCapture", stream, false);
}
EXPORT int hipStreamEndCapture(void* stream, void** graph) {
    return *graph = stream, capture("hipStreamEndCapture", stream, false);
}

// An event is the moment at which it was recorded: there is nothing to wait for.
using Moment = std::chrono::steady_clock::time_point;

static int mark(const char* name, void* event) {
    return *static_cast<Moment*>(event) = std::chrono::steady_clock::now(), Call(name).end(success);
}
static int between(const char* name, float* milliseconds, const void* from, const void* to) {
    const auto passed = *static_cast<const Moment*>(to) - *static_cast<const Moment*>(from);
    *milliseconds = std::chrono::duration<float, std::milli>(passed).count();
    return Call(name).end(success);
}
static int drop_event(const char* name, void* event) { return delete static_cast<Moment*>(event), Call(name).end(success); }

EXPORT int cuEventCreate(void** event, unsigned) { return *event = new Moment, Call("cuEventCreate").end(success); }
EXPORT int hipEventCreate(void** event) { return *event = new Moment, Call("hipEventCreate").end(success); }
EXPORT int hipEventCreateWithFlags(void** event, unsigned) {
    return *event = new Moment, Call("hipEventCreateWithFlags").end(success);
}
EXPORT int cuEventRecord(void* event, void*) { return mark("cuEventRecord", event); }
EXPORT int hipEventRecord(void* event, void*) { return mark("hipEventRecord", event); }
EXPORT int cuEventSynchronize(void*) { return wait("cuEventSynchronize", nullptr); }
EXPORT int hipEventSynchronize(void*) { return wait("hipEventSynchronize", nullptr); }
EXPORT int cuEventElapsedTime_v2(float* ms, void* from, void* to) { return between("cuEventElapsedTime_v2", ms, from, to); }
EXPORT int cuEventElapsedTime(float* ms, void* from, void* to) { return between("cuEventElapsedTime", ms, from, to); }
EXPORT int hipEventElapsedTime(float* ms, void* from, void* to) { return between("hipEventElapsedTime", ms, from, to); }
EXPORT int cuEventDestroy_v2(void* event) { return drop_event("cuEventDestroy_v2", event); }
EXPORT int hipEventDestroy(void* event) { return drop_event("hipEventDestroy", event); }

// ---- ranges of profilers

static int push(const char* name, const char* text) { return Call(name).field("name", text).end(success); }

EXPORT int nvtxRangePushA(const char* text) { return push("nvtxRangePushA", text); }
EXPORT int roctxRangePushA(const char* text) { return push("roctxRangePushA", text); }
EXPORT int nvtxRangePop() { return Call("nvtxRangePop").end(success); }
EXPORT int roctxRangePop() { return Call("roctxRangePop").end(success); }
EXPORT int roctxRangePush(const char* text) { return roctxRangePushA(text); }

// ---- what a test asks of the stub

EXPORT size_t stub_record(char* text, size_t size) {
    std::lock_guard<std::recursive_mutex> guard(machine().lock);
    const std::string& record = machine().record;
    if (text) memcpy(text, record.data(), std::min(size, record.size()));
    return record.size();
}
EXPORT void stub_clear() { machine().record.clear(); }
EXPORT void stub_recording(int is_on) { machine().recording = is_on; }
EXPORT void stub_forget_devices() {
    Machine& all = machine();
    all.streams.clear(), all.functions.clear(), all.modules.clear(), all.memory.clear();
    all.failures.clear(), all.parameters.clear(), all.devices.clear();
    current_index(cuda) = -1, current_index(hip) = 0;
}
EXPORT void stub_device(const char* architecture, const char* name, int cores, size_t memory, unsigned shared) {
    machine().add(architecture, name, cores, memory, shared);
}
EXPORT void stub_fail(const char* call, int status, int after, int times) { machine().failures[call] = {after, times, status}; }
EXPORT void stub_parameters(const char* kernel, const int* sizes, size_t count) {
    machine().parameters[kernel] = std::vector<int>(sizes, sizes + count);
}
EXPORT size_t stub_held_bytes(int vendor, int device) {
    const Device* found = machine().device(Vendor(vendor), device);
    return found ? found->used_bytes : 0;
}
