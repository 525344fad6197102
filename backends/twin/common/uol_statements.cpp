#include "uol_statements.h"

#include <cstdint>
#include <string>

#include "uol_report.h"

namespace uol_statements {

unsigned long long executed[units];

void report() {
  for (int unit = 0; unit < units; ++unit)
    uol_report::count(("statements " + std::to_string(unit)).c_str(), static_cast<std::int64_t>(executed[unit]));
}

}  // namespace uol_statements
