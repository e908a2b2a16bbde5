#include "core/agent/command_base.h"

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "core/sync/compare.h"
#include "core/sync/tree_codec.h"

namespace porter::agent {

std::shared_ptr<const sync::Tree> base_tree(const Site& site, sync::Identity identity, sync::Keeps keeps) {
  const std::shared_ptr<const sync::Seal> seal = site.base();
  if (seal && seal->tree.identity == identity && seal->tree.keeps == keeps) return {seal, &seal->tree};
  auto tree = std::make_shared<sync::Tree>();
  if (seal) *tree = seal->tree;
  if (tree->folders.empty()) tree->folders.emplace_back();
  tree->identity = identity;
  tree->keep(keeps);
  tree->seal_digests();
  return tree;
}

namespace {

constexpr std::size_t kDigestsInOneMessage = 8192;

void send_left(Output& output, const std::vector<base::Digest>& contents,
               std::vector<base::Digest> protocol::BaseTree::*list) {
  for (std::size_t from = 0; from < contents.size(); from += kDigestsInOneMessage) {
    const auto begin = contents.begin() + static_cast<std::ptrdiff_t>(from);
    const std::size_t count = std::min(kDigestsInOneMessage, contents.size() - from);
    protocol::BaseTree message;
    (message.*list).assign(begin, begin + static_cast<std::ptrdiff_t>(count));
    output.send(message);
  }
}

}  // namespace

void send_base_part(Output& output, const sync::Tree& base, const std::string& encoded_digests,
                    const InterruptedSend& left) {
  send_left(output, left.beyond(base), &protocol::BaseTree::whole);
  send_left(output, {left.begun().begin(), left.begun().end()}, &protocol::BaseTree::begun);
  const sync::Tree part = sync::make_part(base, sync::decode_folder_digests(encoded_digests));
  sync::TreeEncoder encoder(part, sync::Stamps::no);
  protocol::BaseTree message;
  std::string next;
  bool more = encoder.next(message.piece.bytes);
  while (more) {
    more = encoder.next(next);
    message.piece.last = !more;
    output.send(message);
    message.piece.bytes = std::move(next);
  }
}

}  // namespace porter::agent
