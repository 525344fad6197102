// The job file: what the driver hands to a twin's process, and where the process puts the results.
// Written by job_file.py; every number is little-endian, 8 bytes. Layout:
//   JobHeader, JobBuffer[buffers], JobLaunch[launches], JobArg[args], then the buffers' bytes at their offsets
#pragma once

#include <cstdint>

namespace uol_job {

enum Role : std::int64_t { INPUT = 0, RESULT = 1, WORKSPACE = 2 };

struct JobHeader {
  char magic[8];  // "UOLJOB1\n"
  std::int64_t module;  // its slot in the executable
  std::int64_t checked;
  std::int64_t counted;  // sectors and statements
  std::int64_t timeout_ms;
  std::int64_t poisoned;  // see uol_locals.h
  std::int64_t buffers, launches, args;
};

struct JobBuffer {
  std::int64_t offset;  // of its bytes in the file; a workspace has none there
  std::int64_t bytes;
  std::int64_t element_bytes;
  std::int64_t role;
  char name[32];  // cut short where longer
};

struct JobLaunch {
  std::int64_t kernel;  // its place in the module
  std::int64_t grid[3], block[3];
  std::int64_t shared_bytes;
  std::int64_t first_arg, args;
};

struct JobArg {
  std::int64_t buffer;  // -1: a value, given both as a real and as an integer
  double real;
  std::int64_t integer;
};

// A job file in memory. Results are written in place.
struct Job {
  const JobHeader* header;
  const JobBuffer* buffers;
  const JobLaunch* launches;
  const JobArg* args;
  char* bytes;
  int file;

  char* data(const JobBuffer& buffer) const { return bytes + buffer.offset; }
};

// Maps the file read-write; exits with a message when it is not a job file.
Job open_job(const char* path);

}  // namespace uol_job
