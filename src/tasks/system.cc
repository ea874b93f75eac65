#include "octavo/system.h"

#include <sys/sysinfo.h>

#include <fstream>

#include "base/cpu.h"
#include "base/thread_pool.h"

namespace octavo {

SystemReport inspect_system() {
  SystemReport out;
  out.cpu = cpu_brand();
  out.cores = available_cores();
  out.isa = isa_name(detect_isa());
  for (const IsaReport& report : report_isa()) {
    out.features.push_back({std::string(report.name), report.cpu, report.usable, report.reason});
  }
  struct sysinfo info {};
  if (::sysinfo(&info) == 0) out.memory_bytes = info.totalram * info.mem_unit;
  std::ifstream meminfo("/proc/meminfo");
  for (std::string key, unit; meminfo >> key;) {
    std::size_t kilobytes = 0;
    meminfo >> kilobytes;
    std::getline(meminfo, unit);
    if (key == "MemAvailable:") out.memory_available_bytes = kilobytes * 1024;
  }
  std::ifstream pages("/sys/kernel/mm/transparent_hugepage/enabled");
  std::string line;
  std::getline(pages, line);
  if (const auto begin = line.find('['), end = line.find(']');
      begin != std::string::npos && end != std::string::npos) {
    out.transparent_huge_pages = line.substr(begin + 1, end - begin - 1);
  }
  return out;
}

std::string version() { return OCTAVO_VERSION; }

}  // namespace octavo
