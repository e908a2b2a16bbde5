#pragma once
// What a plugin and its host must agree on, and nothing else. Everything a plugin is judged by stands in two
// places: as text in the ELF section ".porter.plugin", read from the file before any of its code runs, and in
// the constant porter_plugin_entry, compared again after loading.

#include <cstdint>

// Raised when anything in sdk/include/porter changes its binary layout. New abilities are new service ids
// instead.
#define PORTER_SDK_ABI 1
#define PORTER_SDK_VERSION "0.1.0"

#define PORTER_STRINGIZE_(x) #x
#define PORTER_STRINGIZE(x) PORTER_STRINGIZE_(x)

// The fingerprint holds what really breaks across a shared-object boundary: C++ ABI family, standard library,
// its string and debug layouts, sanitizers, processor and SDK ABI. Compiler and version are left out on
// purpose: g++ and clang++ plugins that agree on these load side by side.
#if defined(_LIBCPP_VERSION)
#define PORTER_FP_LIBRARY "libc++"
#else
#define PORTER_FP_LIBRARY "libstdc++"
#endif

#if !defined(_GLIBCXX_RELEASE) && !defined(_LIBCPP_VERSION)
#include <string>  // defines _GLIBCXX_USE_CXX11_ABI
#endif

#if defined(_GLIBCXX_USE_CXX11_ABI) && _GLIBCXX_USE_CXX11_ABI == 0
#define PORTER_FP_STRING "0"
#else
#define PORTER_FP_STRING "1"
#endif

#if defined(_GLIBCXX_DEBUG)
#define PORTER_FP_DEBUG "1"
#else
#define PORTER_FP_DEBUG "0"
#endif

#if defined(__SANITIZE_ADDRESS__)
#define PORTER_FP_SANITIZER "address"
#elif defined(__SANITIZE_THREAD__)
#define PORTER_FP_SANITIZER "thread"
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define PORTER_FP_SANITIZER "address"
#elif __has_feature(thread_sanitizer)
#define PORTER_FP_SANITIZER "thread"
#else
#define PORTER_FP_SANITIZER "none"
#endif
#else
#define PORTER_FP_SANITIZER "none"
#endif

#if defined(__x86_64__)
#define PORTER_FP_MACHINE "x86_64"
#elif defined(__aarch64__)
#define PORTER_FP_MACHINE "aarch64"
#else
#define PORTER_FP_MACHINE "other"
#endif

#define PORTER_FINGERPRINT                                                                            \
  "cxxabi=itanium;library=" PORTER_FP_LIBRARY ";cxx11abi=" PORTER_FP_STRING ";debug=" PORTER_FP_DEBUG \
  ";sanitizer=" PORTER_FP_SANITIZER ";machine=" PORTER_FP_MACHINE ";abi=" PORTER_STRINGIZE(PORTER_SDK_ABI)

#define PORTER_EXPORT __attribute__((visibility("default")))

extern "C" {

// The one exported symbol, `porter_plugin_entry`. Integers, text and function pointers only: frozen.
struct porter_plugin_entry_v1 {
  std::uint32_t size;       // sizeof this struct as the plugin knew it
  std::uint32_t abi;        // PORTER_SDK_ABI
  const char* fingerprint;  // PORTER_FINGERPRINT
  const char* kind;         // "plugin" or "deployment"
  const char* name;         // dotted name; "deployment" for a hook
  const char* version;
  const char* summary;
  // A new porter::Plugin, owned by the host. Throws nothing: null means failed, and `reason` (of `room`
  // bytes) then holds why, as text that ends with NUL.
  void* (*create)(char* reason, std::uint32_t room);
  void (*destroy)(void*);  // gives it back
};

}  // extern "C"
