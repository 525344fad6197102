// Findings and counts of a run, written as JSON for report.py:
//   {"findings": [{"kind", "launch", "line", "pc", "count", "message"}...], "counts": {name: number},
//    "sizes": [{"launch", "name", "bytes"}...], "refills": [{"launch", "memory", "begin", "end", "times"}...]}
#pragma once

#include <cstdint>

namespace uol_report {

// Where a finding is: the line of the emitted text if it is known, else a program counter that the driver resolves.
struct Place {
  int line;
  const void* pc;
};

// Adds a finding of the current launch; the message is printed (printf) the first time that kind and place occur.
void add(const char* kind, Place place, const char* format, ...) __attribute__((format(printf, 3, 4)));

// Adds to a count.
void count(const char* name, std::int64_t number);

// Notes an on-chip size of the current launch, for the driver's limits.
void size(const char* name, std::int64_t bytes);

// Notes how often bytes [begin, end) of an on-chip memory were filled again in the current launch.
void refills(const char* memory, std::int64_t begin, std::int64_t end, std::int64_t times);

// Findings from now on belong to this launch.
void begin_launch(int launch);

// Writes everything; callable from a signal handler that does not return.
void write(const char* path);

}  // namespace uol_report
