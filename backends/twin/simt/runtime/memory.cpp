#include "memory.h"

#include <sys/mman.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace uol_twin {

std::uintptr_t arena_begin;
std::size_t arena_bytes;
Buffer* buffers;

namespace {

constexpr std::size_t page = 4096;
constexpr std::size_t alignment = 16, file_alignment = 64;  // the widest vector access; of a tensor in the job's file
constexpr std::size_t slot_bytes = 1ULL << slot_shift;

std::size_t round_up(std::size_t value, std::size_t step) { return (value + step - 1) / step * step; }

[[noreturn]] void fail(const char* doing) {
  std::perror(doing);
  std::exit(2);
}

unsigned shift_of(std::int64_t element_bytes) { return static_cast<unsigned>(__builtin_ctzll(element_bytes)); }

// The buffer's last byte lies in the middle of its slot, before a page that stays inaccessible, and its first as far behind an
// address for vectors as it does in the job's file. What an input does not say, and what lies between the end and the page, is
// poison. A large input ends with a page of the file, whose pages then are the buffer's: what nothing touches takes no memory.
char* place(char* slot, const uol_job::Job& job, const uol_job::JobBuffer& buffer) {
  const std::size_t bytes = buffer.bytes, known = buffer.role == uol_job::INPUT ? bytes : 0, behind = buffer.offset % alignment;
  const std::size_t last = round_up(buffer.offset + bytes, file_alignment);
  const bool has_pages = known > page && last % page == 0;
  const std::size_t room = has_pages ? last - buffer.offset : round_up(bytes + behind, alignment) - behind;
  const std::size_t pages = round_up(room, page);
  char* end = slot + slot_bytes / 2;
  char* begin = end - room;
  if (has_pages) {
    if (mmap(end - pages, pages, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, job.file, buffer.offset + room - pages) == MAP_FAILED)
      fail("mapping an input");
  } else {
    if (room) mprotect(end - pages, pages, PROT_READ | PROT_WRITE);
    if (known) std::memcpy(begin, job.data(buffer), known);
  }
  std::memset(begin + known, 0xff, room - known);
  return begin;
}

}  // namespace

void* reserve(std::size_t bytes, int access) {
  void* map = mmap(nullptr, bytes ? bytes : page, access, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (map == MAP_FAILED) fail("reserving memory");
  return map;
}

void make_buffers(const uol_job::Job& job, bool checked) {
  const std::size_t n = job.header->buffers;
  arena_bytes = n * slot_bytes;
  char* arena = static_cast<char*>(reserve(arena_bytes, PROT_NONE));
  arena_begin = reinterpret_cast<std::uintptr_t>(arena);
  buffers = static_cast<Buffer*>(std::calloc(n + 1, sizeof(Buffer)));
  for (std::size_t i = 0; i < n; ++i) {
    if (static_cast<std::size_t>(job.buffers[i].bytes) > slot_bytes / 4) {
      std::fprintf(stderr, "the buffer %s is larger than the twin's %zu bytes\n", job.buffers[i].name, slot_bytes / 4);
      std::exit(2);
    }
    const uol_job::JobBuffer& given_buffer = job.buffers[i];
    char* begin = place(arena + i * slot_bytes, job, given_buffer);
    Buffer& buffer = buffers[i];
    buffer.begin = reinterpret_cast<std::uintptr_t>(begin);
    buffer.bytes = given_buffer.bytes;
    buffer.element_shift = shift_of(given_buffer.element_bytes);
    buffer.elements = buffer.bytes >> buffer.element_shift;
    buffer.role = given_buffer.role;
    buffer.name = given_buffer.name;
    if (buffer.role != uol_job::INPUT && checked) buffer.cells = static_cast<Cell*>(reserve(buffer.elements * sizeof(Cell), PROT_READ | PROT_WRITE));
  }
}

}  // namespace uol_twin
