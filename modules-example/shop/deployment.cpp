// The hook of the module `shop`: compiled when it is needed, kept until it changes.
#include <porter/porter.h>

namespace {

// The tree is complete under its final name, and nobody is served from it yet.
void post_send(porter::Module& module) {
  porter::copy_config_file(module, "robots.txt", "static/robots.txt");
  porter::log(module, "robots.txt is in place");
}

}  // namespace

PORTER_DEPLOYMENT {
  module.push_signal_handler(porter::SIG_SOURCE_POST_SEND, &post_send);
}
