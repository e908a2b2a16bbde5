#pragma once
// The base::Error that some work ends with, to look into; an internal "nothing was thrown" when it ends well.

#include "core/base/error.h"

namespace porter::tests {

template <class Work>
base::Error error_of(Work&& work) {
  try {
    work();
  } catch (const base::Error& error) {
    return error;
  }
  return {base::Code::internal, "nothing was thrown"};
}

template <class Work>
base::Code code_of(Work&& work) {
  return error_of(work).code();
}

}  // namespace porter::tests
