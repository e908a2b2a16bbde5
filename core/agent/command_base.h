#pragma once
// What a target has, told to who is about to send it a tree.

#include <memory>
#include <string>

#include "core/agent/server_output.h"
#include "core/agent/site.h"

namespace porter::agent {

// The live tree of a site as its seal has it, comparable with trees of that identity; an empty root when
// there is none.
std::shared_ptr<const sync::Tree> base_tree(const Site& site, sync::Identity identity, sync::Keeps keeps);

// Sends the part of `base` that the digests do not tell, as BaseTree pieces, and what an interrupted send has
// left beside it.
void send_base_part(Output& output, const sync::Tree& base, const std::string& encoded_digests,
                    const InterruptedSend& left = {});

}  // namespace porter::agent
