#pragma once
// Which files of a source are not deployed. A subset of gitignore's language (the exact words are in
// docs/formats.md, "Ignore rules"):
//   # comment, blank lines; a backslash takes the meaning from the character that follows
//   name        any file or folder of this name, at any depth (a folder goes with all that is in it)
//   /name  a/b  a '/' at the start or in the middle ties the pattern to the root
//   name/       folders only
//   !name       takes back what an earlier rule ignored; the last rule that matches decides
//   *  ?  [a-z] [!a-z]   within one name, as bytes      **   as a whole component: any number of folders
// Nothing inside an ignored folder can be taken back. Immutable once built; may then be shared by threads.

#include <string>
#include <string_view>
#include <vector>

#include "core/sync/tree.h"

namespace porter::sync {

class IgnoreRules {
 public:
  // No rules at all, as for walks on a target.
  IgnoreRules() = default;
  // .git .gitmodules .gitattributes .gitignore at any depth, and /.porterignore.
  static IgnoreRules standard();

  // One pattern, as a line of the file. `origin` and `line` are for messages. Throws Error(bad_value) for a
  // '[' without its ']', and for a pattern of nothing but '/' or '!'.
  void add(std::string_view pattern, const std::string& origin, int line = 0);
  void add_all(const std::vector<std::string>& patterns, const std::string& origin);
  // The text of a `.porterignore`; CRLF line ends are accepted.
  void add_file(std::string_view text, const std::string& origin);

  // Whether the entry at `path` (relative to the root) is left out. Asked from the root down: an ignored
  // folder's entries are not asked for.
  bool ignores(std::string_view path, Kind kind) const;
  // The same for a path alone, in no particular order: also true below an ignored folder.
  bool ignores_or_above(std::string_view path, Kind kind) const;
  bool empty() const { return rules_.empty(); }

 private:
  struct Rule {
    std::vector<std::string> components;  // between the slashes; "**" is any number of folders
    bool anchored = false;                // begins at the root, not at any depth
    bool folders_only = false;
    bool takes_back = false;
  };
  std::vector<Rule> rules_;
};

}  // namespace porter::sync
