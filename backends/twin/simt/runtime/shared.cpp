// Shared memory: thread-local variables of the executable. Which of them a kernel owns is read from the symbol table.
#include "memory.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace uol_twin {

std::uintptr_t shared_begin;
std::size_t shared_bytes;
Cell* shared_words;
Cell* shared_pieces;
std::uint64_t* shared_adds;

namespace {

// What `uol::dynamic_shared` gives, of all modules of an executable.
constexpr const char* dynamic_bytes_symbol = "uol_dynamic_bytes";

struct Owned {
  SharedArray array;
  std::string symbol, name;
};
std::vector<Owned> arrays;

// `_ZZ<length><function>E<length><name>`: a variable of a block. Gives its name; other symbols stand for themselves, but
// for the suffix of dynamic arrays.
std::string plain_name(const char* symbol) {
  const char* end = symbol + std::strlen(symbol);
  if (const char* suffix = std::strstr(symbol, "_uol_m"); suffix && symbol[0] != '_') return std::string(symbol, suffix);
  const char* last = std::strrchr(symbol, 'E');
  for (const char* at = last ? last + 1 : symbol; at < end; ++at) {
    if (*at < '0' || *at > '9') continue;
    char* name;
    const long length = std::strtol(at, &name, 10);
    if (length > 0 && length <= end - name) return std::string(name, length);
  }
  return symbol;
}

bool begins_with(const std::string& symbol, const std::string& prefix) { return symbol.rfind(prefix, 0) == 0; }
bool ends_with(const std::string& symbol, const std::string& end) {
  return symbol.size() >= end.size() && symbol.compare(symbol.size() - end.size(), end.size(), end) == 0;
}

std::string mangled(const char* name) { return std::to_string(std::strlen(name)) + name; }

Cell* word_at(std::uintptr_t address) { return shared_words + ((address - shared_begin) >> 2); }
Cell* piece_at(std::uintptr_t address) { return shared_pieces + (address - shared_begin); }

// Whole words get one cell; the words that an array only begins or ends in are split.
void set_cells(std::uintptr_t begin, std::size_t bytes, std::uint64_t state) {
  for (std::uintptr_t at = begin; at < begin + bytes;) {
    if (at % 4 == 0 && at + 4 <= begin + bytes) {
      *word_at(at) = {state, 0};
      at += 4;
      continue;
    }
    if (word_at(at)->write != split) {
      for (std::uintptr_t piece = at & ~std::uintptr_t{3}; piece < (at & ~std::uintptr_t{3}) + 4; ++piece) *piece_at(piece) = {foreign, 0};
      *word_at(at) = {split, 0};
    }
    *piece_at(at++) = {state, 0};
  }
}

template <class T> const T* at(const char* file, std::size_t offset) { return reinterpret_cast<const T*>(file + offset); }

}  // namespace

void find_shared_arrays() {
  const int descriptor = open("/proc/self/exe", O_RDONLY);
  struct stat status;
  if (descriptor < 0 || fstat(descriptor, &status) != 0) {
    std::perror("/proc/self/exe");
    std::exit(2);
  }
  const char* file = static_cast<const char*>(mmap(nullptr, status.st_size, PROT_READ, MAP_PRIVATE, descriptor, 0));
  close(descriptor);
  const auto* header = at<Elf64_Ehdr>(file, 0);
  const auto* segments = at<Elf64_Phdr>(file, header->e_phoff);
  for (int i = 0; i < header->e_phnum; ++i) {
    if (segments[i].p_type != PT_TLS) continue;
    const std::size_t align = segments[i].p_align > 1 ? segments[i].p_align : 1;
    shared_bytes = (segments[i].p_memsz + align - 1) / align * align;  // x86-64: the executable's block ends at the thread pointer
  }
  shared_begin = reinterpret_cast<std::uintptr_t>(__builtin_thread_pointer()) - shared_bytes;
  const auto* sections = at<Elf64_Shdr>(file, header->e_shoff);
  for (int i = 0; i < header->e_shnum; ++i) {
    if (sections[i].sh_type != SHT_SYMTAB) continue;
    const char* names = file + sections[sections[i].sh_link].sh_offset;
    const auto* symbols = at<Elf64_Sym>(file, sections[i].sh_offset);
    for (std::size_t k = 0; k < sections[i].sh_size / sizeof(Elf64_Sym); ++k) {
      if (ELF64_ST_TYPE(symbols[k].st_info) != STT_TLS || symbols[k].st_shndx == SHN_UNDEF) continue;
      const std::string symbol = names + symbols[k].st_name;
      arrays.push_back({{nullptr, shared_begin + symbols[k].st_value, symbols[k].st_size, false}, symbol, plain_name(symbol.c_str())});
    }
  }
  munmap(const_cast<char*>(file), status.st_size);
  for (Owned& owned : arrays) owned.array.name = owned.name.c_str();
  shared_words = static_cast<Cell*>(reserve(shared_bytes / 4 * sizeof(Cell) + sizeof(Cell), PROT_READ | PROT_WRITE));
  shared_pieces = static_cast<Cell*>(reserve(shared_bytes * sizeof(Cell) + sizeof(Cell), PROT_READ | PROT_WRITE));
}

std::size_t open_shared(const char* kernel_symbol, const char* module_namespace, std::size_t dynamic_bytes) {
  static std::vector<SharedArray> opened;
  const std::string of_kernel = "_ZZ" + mangled(kernel_symbol) + "E";
  const std::string of_helper = "_ZZN" + mangled(module_namespace);
  const std::string of_module = "_" + std::string(module_namespace);  // the glue has renamed dynamic arrays to end so
  for (const SharedArray& array : opened) set_cells(array.begin, array.bytes, foreign);
  opened.clear();
  std::size_t fixed = 0;
  for (Owned& owned : arrays) {
    owned.array.dynamic =
        owned.symbol == dynamic_bytes_symbol || (!begins_with(owned.symbol, "_ZZ") && (ends_with(owned.symbol, of_module) || ends_with(owned.symbol, of_module + "E")));
    if (!owned.array.dynamic && !begins_with(owned.symbol, of_kernel) && !begins_with(owned.symbol, of_helper)) continue;
    SharedArray array = owned.array;
    if (array.dynamic) array.bytes = array.bytes < dynamic_bytes ? array.bytes : dynamic_bytes;
    else fixed += array.bytes;
    set_cells(array.begin, array.bytes, unwritten);
    std::memset(reinterpret_cast<void*>(array.begin), 0xff, array.bytes);
    opened.push_back(array);
  }
  return fixed;
}

const SharedArray* shared_array_near(std::uintptr_t address) {
  const SharedArray* nearest = nullptr;
  for (const Owned& owned : arrays)
    if (owned.array.begin <= address && (!nearest || owned.array.begin > nearest->begin)) nearest = &owned.array;
  return nearest;
}

}  // namespace uol_twin
