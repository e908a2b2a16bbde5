#pragma once
// Who may say what when: the states of a conversation as the agent keeps them, and the messages that are
// legal in each. A legal message in an illegal state is an error, and the end of the conversation (libssh's
// CVE-2018-10933 is what happens without this). Pure functions.

#include "core/protocol/messages.h"

namespace porter::protocol {

enum class State : std::uint8_t {
  greeting,    // the agent said Hello; Welcome is due
  ready,       // one request at a time
  digests,     // after stage_begin or compare_begin: folder_digests up to the last piece
  planning,    // the base tree was sent: wanted_tree up to the last piece, or stage_abort
  announcing,  // files_to_come up to the last piece
  content,     // batch, content, copies, delta in any order; ends with stage_end
  resend,      // the same after `missing`, without copies and deltas
  spoilt,      // a stage failed and said so: what was on its way is dropped up to stage_abort
  writing,     // after write_begin or install_begin: write_data up to the last piece
};

std::string_view name_of(State state);

// From the operator's side, in that state. beat and goodbye are always legal once greeted.
bool is_legal(State state, Type type);

// Throws Error(protocol) that names both.
void check_legal(State state, std::uint8_t type);

}  // namespace porter::protocol
