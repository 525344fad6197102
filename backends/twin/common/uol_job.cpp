#include "uol_job.h"

#include "uol_locals.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

long long uol_locals::poisoned;

namespace uol_job {

Job open_job(const char* path) {
  const int file = open(path, O_RDWR);
  struct stat status;
  if (file < 0 || fstat(file, &status) != 0) {
    std::perror(path);
    std::exit(2);
  }
  void* map = mmap(nullptr, status.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (map == MAP_FAILED || std::memcmp(map, "UOLJOB1\n", 8) != 0) {
    std::fprintf(stderr, "%s: not a job file\n", path);
    std::exit(2);
  }
  Job job;
  job.bytes = static_cast<char*>(map);
  job.file = file;
  job.header = reinterpret_cast<const JobHeader*>(job.bytes);
  uol_locals::poisoned = job.header->poisoned;
  job.buffers = reinterpret_cast<const JobBuffer*>(job.header + 1);
  job.launches = reinterpret_cast<const JobLaunch*>(job.buffers + job.header->buffers);
  job.args = reinterpret_cast<const JobArg*>(job.launches + job.header->launches);
  return job;
}

}  // namespace uol_job
