#include "uol_report.h"

#include <cstdarg>
#include <cstdio>
#include <map>
#include <string>
#include <tuple>
#include <vector>

namespace uol_report {
namespace {

struct Entry {
  int launch;
  std::string message;
  std::int64_t count;
};

using Key = std::tuple<int, const char*, int, const void*>;

std::map<Key, Entry> findings;
std::map<std::string, std::int64_t> counts;
std::map<std::pair<int, std::string>, std::int64_t> sizes;
int current = 0;

struct Refill {
  int launch;
  const char* memory;
  std::int64_t begin, end, times;
};
std::vector<Refill> refilled;

void write_string(std::FILE* file, const std::string& text) {
  std::fputc('"', file);
  for (const char c : text) {
    if (c == '"' || c == '\\') std::fputc('\\', file);
    std::fputc(static_cast<unsigned char>(c) < 32 ? ' ' : c, file);
  }
  std::fputc('"', file);
}

}  // namespace

void begin_launch(int launch) { current = launch; }

void add(const char* kind, Place place, const char* format, ...) {
  const auto [entry, fresh] = findings.try_emplace(Key{current, kind, place.line, place.pc}, Entry{current, "", 0});
  ++entry->second.count;
  if (!fresh) return;
  char text[400];
  std::va_list args;
  va_start(args, format);
  std::vsnprintf(text, sizeof text, format, args);
  va_end(args);
  entry->second.message = text;
}

void count(const char* name, std::int64_t number) { counts[name] += number; }

void size(const char* name, std::int64_t bytes) { sizes[{current, name}] = bytes; }

void refills(const char* memory, std::int64_t begin, std::int64_t end, std::int64_t times) {
  refilled.push_back({current, memory, begin, end, times});
}

void write(const char* path) {
  std::FILE* file = std::fopen(path, "w");
  if (!file) return;
  std::fputs("{\"findings\": [", file);
  const char* separator = "";
  for (const auto& [key, entry] : findings) {
    std::fprintf(file, "%s\n{\"kind\": \"%s\", \"launch\": %d, \"line\": %d, \"pc\": %llu, \"count\": %lld, \"message\": ", separator,
                 std::get<1>(key), entry.launch, std::get<2>(key),
                 static_cast<unsigned long long>(reinterpret_cast<std::uintptr_t>(std::get<3>(key))),
                 static_cast<long long>(entry.count));
    write_string(file, entry.message);
    std::fputc('}', file);
    separator = ",";
  }
  std::fputs("],\n\"counts\": {", file);
  separator = "";
  for (const auto& [name, number] : counts) {
    std::fprintf(file, "%s\"%s\": %lld", separator, name.c_str(), static_cast<long long>(number));
    separator = ", ";
  }
  std::fputs("},\n\"sizes\": [", file);
  separator = "";
  for (const auto& [key, bytes] : sizes) {
    std::fprintf(file, "%s{\"launch\": %d, \"name\": \"%s\", \"bytes\": %lld}", separator, key.first, key.second.c_str(),
                 static_cast<long long>(bytes));
    separator = ", ";
  }
  std::fputs("],\n\"refills\": [", file);
  separator = "";
  for (const Refill& r : refilled) {
    std::fprintf(file, "%s{\"launch\": %d, \"memory\": \"%s\", \"begin\": %lld, \"end\": %lld, \"times\": %lld}", separator, r.launch,
                 r.memory, static_cast<long long>(r.begin), static_cast<long long>(r.end), static_cast<long long>(r.times));
    separator = ", ";
  }
  std::fputs("]}\n", file);
  std::fclose(file);
}

}  // namespace uol_report
