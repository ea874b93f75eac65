#include "allocation_meter.h"

#include <malloc.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace {

std::atomic<std::size_t> in_use{0};
std::atomic<std::size_t> highest{0};

void add(std::size_t size) {
  const std::size_t now = in_use.fetch_add(size) + size;
  std::size_t seen = highest.load();
  while (now > seen && !highest.compare_exchange_weak(seen, now)) {
  }
}

void remove(std::size_t size) { in_use.fetch_sub(size); }

}  // namespace

#if defined(__SANITIZE_ADDRESS__)
#define OCTAVO_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define OCTAVO_ASAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define OCTAVO_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define OCTAVO_TSAN 1
#endif
#endif

#if defined(OCTAVO_ASAN)

extern "C" {
std::size_t __sanitizer_get_allocated_size(const volatile void* p);
void __sanitizer_malloc_hook(const volatile void*, std::size_t size) { add(size); }
void __sanitizer_free_hook(const volatile void* p) {
  if (p != nullptr) remove(__sanitizer_get_allocated_size(p));
}
}

#elif defined(__GLIBC__) && !defined(OCTAVO_TSAN)

// The allocator's functions, in front of glibc's own.
extern "C" {
void* __libc_malloc(std::size_t);
void __libc_free(void*);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);

static void* counted(void* p) {
  if (p != nullptr) add(malloc_usable_size(p));
  return p;
}

void* malloc(std::size_t size) { return counted(__libc_malloc(size)); }
void* calloc(std::size_t count, std::size_t size) { return counted(__libc_calloc(count, size)); }
void* memalign(std::size_t alignment, std::size_t size) {
  return counted(__libc_memalign(alignment, size));
}
void* aligned_alloc(std::size_t alignment, std::size_t size) {
  return counted(__libc_memalign(alignment, size));
}
int posix_memalign(void** out, std::size_t alignment, std::size_t size) {
  void* p = counted(__libc_memalign(alignment, size));
  if (p == nullptr) return ENOMEM;
  *out = p;
  return 0;
}
void* realloc(void* p, std::size_t size) {
  if (p != nullptr) remove(malloc_usable_size(p));
  return counted(__libc_realloc(p, size));
}
void free(void* p) {
  if (p != nullptr) remove(malloc_usable_size(p));
  __libc_free(p);
}
}

#else
#define OCTAVO_NO_METER 1
#endif

namespace octavo::testing {

AllocationMeter::AllocationMeter() : start_(in_use.load()) { highest.store(start_); }

std::size_t AllocationMeter::peak() const { return highest.load() - start_; }

bool AllocationMeter::available() {
#if defined(OCTAVO_NO_METER)
  return false;
#else
  return true;
#endif
}

}  // namespace octavo::testing
