// Devices, images, the record and injected failures of the stub driver.
#include "machine.h"

#include <algorithm>
#include <cstdlib>
#include <sstream>

namespace stub {

const char* text_of(int status) {
    switch (status) {
        case success: return "no error";
        case invalid_value: return "invalid argument";
        case out_of_memory: return "out of memory";
        case not_initialised: return "initialization error";
        case invalid_device: return "invalid device ordinal";
        case invalid_image: return "device kernel image is invalid";
        case invalid_context: return "invalid device context";
        case no_binary_for_device: return "no kernel image is available for execution on the device";
        case invalid_handle: return "invalid resource handle";
        case not_found: return "named symbol not found";
        case 222: return "the provided PTX was compiled with an unsupported toolchain.";
        case 700: return "an illegal memory access was encountered";
        case 719: return "unspecified launch failure";
        case capture_unsupported: return "operation not permitted when stream is capturing";
    }
    return nullptr;
}

static std::vector<std::string> parts(const char* text, char separator) {
    std::vector<std::string> found;
    std::istringstream stream(text ? text : "");
    for (std::string part; std::getline(stream, part, separator);) found.push_back(part);
    return found;
}

// UOL_STUB_DEVICES=sm_90,gfx90a; UOL_STUB_LOG=FILE; UOL_STUB_FAILURES=cuMemAlloc_v2:2 (name:status): for other processes.
Machine::Machine() {
    const char* given = getenv("UOL_STUB_DEVICES");
    for (const std::string& each : parts(given ? given : "sm_80,sm_80,gfx90a,gfx90a", ','))
        add(each, "stub " + each, 108, size_t(1) << 30, 0);
    for (const std::string& each : parts(getenv("UOL_STUB_FAILURES"), ',')) {
        const size_t colon = each.find(':');
        failures[each.substr(0, colon)] = {0, 1, std::stoi(each.substr(colon + 1))};
    }
    if (const char* path = getenv("UOL_STUB_LOG")) file = fopen(path, "a");
}

Machine& machine() {
    static Machine* the = new Machine;  // lives as long as the process: finalisers may call after static destruction
    return *the;
}

Device* Machine::add(const std::string& architecture, const std::string& name, int cores, size_t memory, unsigned shared) {
    const Vendor vendor = architecture.rfind("gfx", 0) == 0 ? hip : cuda;
    const unsigned most = shared ? shared : vendor == hip ? 64 * 1024 : 163 * 1024;
    devices.push_back(std::make_unique<Device>(Device{vendor, count(vendor), name, architecture, cores, memory, most}));
    return devices.back().get();
}

int Machine::count(Vendor vendor) const {
    int found = 0;
    for (const auto& each : devices) found += each->vendor == vendor;
    return found;
}

Device* Machine::device(Vendor vendor, int index) {
    for (const auto& each : devices)
        if (each->vendor == vendor && each->index == index) return each.get();
    return nullptr;
}

Block* Machine::block_of(uintptr_t address, size_t size_bytes) {
    auto next = memory.upper_bound(address);
    if (next == memory.begin()) return nullptr;
    auto& [start, block] = *std::prev(next);
    return address + size_bytes <= start + block.size_bytes ? &block : nullptr;
}

bool Machine::capturing() const {
    for (const auto& each : streams)
        if (each.second->capturing) return true;
    return false;
}

int& current_index(Vendor vendor) {
    static thread_local int indices[2] = {-1, 0};
    return indices[vendor];
}

Device* current(Vendor vendor) { return machine().device(vendor, current_index(vendor)); }

template <typename Number>
static Number at(const char* bytes, size_t offset) {
    Number value;
    memcpy(&value, bytes + offset, sizeof value);
    return value;
}

static const char bundle_mark[] = "__CLANG_OFFLOAD_BUNDLE__";
static bool is_elf(const char* image) { return memcmp(image, "\177ELF", 4) == 0; }
static bool is_bundle(const char* image) { return strncmp(image, bundle_mark, sizeof bundle_mark - 1) == 0; }

// A bundle of clang's: its mark, a count, and for each entry offset, size and name.
static std::vector<std::pair<std::string, size_t>> entries(const char* bundle) {
    std::vector<std::pair<std::string, size_t>> found;
    size_t place = sizeof bundle_mark - 1 + 8;
    for (uint64_t left = at<uint64_t>(bundle, place - 8); left; --left) {
        const size_t name = at<uint64_t>(bundle, place + 16);
        found.emplace_back(std::string(bundle + place + 24, name), at<uint64_t>(bundle, place) + at<uint64_t>(bundle, place + 8));
        place += 24 + name;
    }
    return found;
}

// The headers of an ELF file's sections or those of its segments are what is last in it.
static size_t elf_bytes(const char* image) {
    const size_t sections = at<uint64_t>(image, 40) + at<uint16_t>(image, 58) * size_t(at<uint16_t>(image, 60));
    const size_t segments = at<uint64_t>(image, 32) + at<uint16_t>(image, 54) * size_t(at<uint16_t>(image, 56));
    return std::max(sections, segments);
}

size_t image_bytes(const char* image) {
    if (is_elf(image)) return elf_bytes(image);
    if (!is_bundle(image)) return strlen(image);
    size_t last = 0;
    for (const auto& entry : entries(image)) last = std::max(last, entry.second);
    return last;
}

// The architecture in an ELF header: cubins tell it in the low byte of their flags, from ABI 0x41 on in the second one;
// AMD's code objects by a number of LLVM's (AMDGPU usage, EF_AMDGPU_MACH).
static std::string architecture_of(const char* elf) {
    const uint32_t flags = at<uint32_t>(elf, 48);
    switch (at<uint16_t>(elf, 18)) {
        case 190: return "sm_" + std::to_string(elf[7] == 0x41 ? flags >> 8 & 0xff : flags & 0xff);
        case 224: return (flags & 0xff) == 0x3f ? "gfx90a" : (flags & 0xff) == 0x4c ? "gfx942" : "gfx?";
    }
    return "";
}

// A cubin runs on its own architecture and on later ones of the same generation, PTX on all later ones.
bool Device::runs(const char* image) const {
    if (is_bundle(image)) {
        for (const auto& entry : entries(image))
            if (vendor == hip && entry.first.find("-" + architecture) != std::string::npos) return true;
        return false;
    }
    if (is_elf(image)) {
        const std::string made_for = architecture_of(image);
        if (vendor == hip || made_for.rfind("sm_", 0) != 0) return made_for == architecture;
        const int other = std::stoi(made_for.substr(3));
        return other / 10 == capability() / 10 && other <= capability();
    }
    const char* target = strstr(image, ".target sm_");
    return vendor == cuda && target && atoi(target + 11) <= capability();
}

static std::string quoted(const std::string& text) {
    std::string found = "\"";
    for (char each : text) {
        if (each == '"' || each == '\\') found += '\\';
        found += each;
    }
    return found + '"';
}

Call::Call(const char* called) : guard(machine().lock), name(called), recorded(machine().recording) {
    auto& failures = machine().failures;
    if (failures.empty()) return;
    const auto found = failures.find(name);
    if (found == failures.end() || found->second.after-- > 0) return;
    injected = found->second.status;
    if (--found->second.times <= 0) failures.erase(found);
}

Call& Call::field(const char* key, uint64_t value) {
    if (recorded) fields += ", " + quoted(key) + ": " + std::to_string(int64_t(value));
    return *this;
}

Call& Call::field(const char* key, const std::string& value) {
    if (recorded) fields += ", " + quoted(key) + ": " + quoted(value);
    return *this;
}

Call& Call::list(const char* key, const std::vector<uint64_t>& values) {
    if (!recorded) return *this;
    fields += ", " + quoted(key) + ": [";
    for (size_t n = 0; n < values.size(); ++n) fields += (n ? ", " : "") + std::to_string(values[n]);
    fields += "]";
    return *this;
}

int Call::end(int status) {
    if (recorded) {
        const std::string line = "{\"call\": " + quoted(name) + fields + ", \"status\": " + std::to_string(status) + "}\n";
        machine().record += line;
        if (machine().file) fputs(line.c_str(), machine().file), fflush(machine().file);
    }
    return status;
}

}  // namespace stub
