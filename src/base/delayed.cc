// See delayed.h.
#include "base/delayed.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <string>

namespace {

// As cmake/write_trampolines.cmake lays them out.
struct DelayedLibrary {
  const char* name;  // "libpq"; null after the last
  const char* soname;
  const char* package;  // of Debian; empty: it is none of Debian's
};
struct DelayedFunction {
  const char* name;
  const DelayedLibrary* library;
  void* address;
};

}  // namespace

extern "C" {
// Null in a binary that delays nothing.
extern const DelayedLibrary SluiceDelayedLibraries[] __attribute__((weak, visibility("hidden")));
void* SluiceResolveDelayed(DelayedFunction* function);
}

namespace sluice {
namespace {

Error Missing(const DelayedLibrary& library, std::string_view what) {
  const std::string_view package = library.package;
  return RejectedError(fmt::format(
      "{} cannot be used: {}; {}", library.soname, what,
      package.empty() ? std::string("put the one that sluice came with beside its binary")
                      : fmt::format("install it (in Debian: apt-get install {})", package)));
}

// Never closed. Lazily bound: of the functions inside most are never called.
Result<void*> Open(const DelayedLibrary& library) {
  void* handle = dlopen(library.soname, RTLD_LAZY | RTLD_LOCAL);
  if (handle != nullptr) return handle;
  const char* why = dlerror();
  return Missing(library, why == nullptr ? "it cannot be opened" : why);
}

Result<void*> Find(const DelayedFunction& function) {
  void* address = dlsym(TRY(Open(*function.library)), function.name);
  if (address != nullptr) return address;
  return Missing(*function.library, fmt::format("it is too old and has no '{}'", function.name));
}

}  // namespace

Status NeedLibrary(std::string_view name) {
  for (const DelayedLibrary* library = SluiceDelayedLibraries;
       library != nullptr && library->name != nullptr; ++library) {
    if (library->name == name) TRY(Open(*library));
  }
  return Ok();
}

}  // namespace sluice

// There is nobody to give an error to.
void* SluiceResolveDelayed(DelayedFunction* function) {
  auto found = sluice::Find(*function);
  if (!found.ok()) {
    std::fprintf(stderr, "sluice: %s\n", sluice::Format(found.error()).c_str());
    _exit(1);
  }
  std::atomic_ref(function->address).store(*found, std::memory_order_release);
  return *found;
}
