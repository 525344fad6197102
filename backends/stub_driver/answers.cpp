// What kernels write, played back: the stub computes nothing, and whoever runs it may have computed that beforehand.
#include "machine.h"

#include <cstdlib>
#include <fstream>
#include <iterator>

namespace stub {

// Of the image that a kernel comes from: kernels of several modules may have one name.
static uint64_t hash_of(const std::string& image) {
    uint64_t hash = 0xcbf29ce484222325;  // FNV-1a
    for (unsigned char byte : image) hash = (hash ^ byte) * 0x100000001b3;
    return hash;
}

// UOL_STUB_ANSWERS=FOLDER with files HASH-KERNEL-PARAMETER: their bytes are written to where the parameter points to, when the
// kernel is launched. An answer that is longer than the memory there is not written.
void play_back(const Function& function, void** parameters) {
    static const char* const folder = getenv("UOL_STUB_ANSWERS");
    if (!folder || !parameters) return;
    char hash[17];
    snprintf(hash, sizeof hash, "%016llx", static_cast<unsigned long long>(hash_of(function.module->image)));
    for (int n = 0; n < 64; ++n) {
        std::ifstream file(std::string(folder) + "/" + hash + "-" + function.name + "-" + std::to_string(n), std::ios::binary);
        if (!file) continue;
        const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
        char* to = *static_cast<char**>(parameters[n]);
        if (machine().block_of(number(to), bytes.size())) memcpy(to, bytes.data(), bytes.size());
    }
}

}  // namespace stub
