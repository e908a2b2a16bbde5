#pragma once
// One switch that ends a run. Copies share it. cancel() may be called from any thread; the descriptor becomes
// readable for every waiter and stays so.

#include <memory>

namespace porter::base {

class CancelToken {
 public:
  // A fresh switch, not yet cancelled.
  CancelToken();

  void cancel() const;
  bool cancelled() const;
  // Throws Interrupted once cancelled.
  void check() const;
  // For poll(2); owned by the token.
  int descriptor() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace porter::base
