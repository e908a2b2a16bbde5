#pragma once
// A project in a temporary folder, written file by file, for the tests of this folder.

#include <sstream>
#include <string>
#include <vector>

#include "core/base/files.h"
#include "core/settings/project.h"
#include "tests/support/catch.h"

namespace porter::settings::test {

class ProjectFixture {
 public:
  ProjectFixture() {
    world_.environment = {{"HOME", (folder_.path() / "home").string()},
                          {"PORTER_SITE_CONFIG", (folder_.path() / "site.ini").string()}};
    world_.directory = root();
    world_.now = [] { return base::WallTime(); };
    base::make_folders(root());
  }

  std::filesystem::path root() const { return folder_.path() / "shop"; }
  const base::World& world() const { return world_; }

  // Relative to the project; missing folders are made.
  void write(const std::string& file, const std::string& text) { write_at(root() / file, text); }
  void write_user(const std::string& text) { write_at(world_.config_folder() / "porter.ini", text); }
  void write_site(const std::string& text) { write_at(folder_.path() / "site.ini", text); }

  Project load(const PluginSchemas& schemas = nullptr) const {
    try {
      return make_project(read_project_files(root(), world_), schemas);
    } catch (const base::Errors& errors) {
      for (const base::Error& error : errors.all())
        UNSCOPED_INFO(base::format_error(error));
      FAIL("the project should load");
      throw;
    }
  }

  // What is wrong with it, one "file:line: message" (and " | hint") each.
  std::vector<std::string> problems(const PluginSchemas& schemas = nullptr) const {
    std::vector<std::string> all;
    try {
      make_project(read_project_files(root(), world_), schemas);
    } catch (const base::Errors& errors) {
      for (const base::Error& error : errors.all())
        all.push_back(describe(error));
    }
    return all;
  }

  static std::string describe(const base::Error& error) {
    std::ostringstream text;
    text << error.where().file << ':' << error.where().line << ": " << error.message();
    if (!error.hint_text().empty()) text << " | " << error.hint_text();
    return text.str();
  }

 private:
  static void write_at(const std::filesystem::path& file, const std::string& text) {
    base::make_folders(file.parent_path());
    base::write_file(file, text);
  }

  base::TemporaryFolder folder_;
  base::World world_;
};

// The error that `work` throws, described; "" when it throws none.
template <class Work>
std::string error_of(Work&& work) {
  try {
    work();
  } catch (const base::Error& error) {
    return ProjectFixture::describe(error);
  } catch (const base::Errors& errors) {
    std::string all;
    for (const base::Error& error : errors.all())
      all += ProjectFixture::describe(error) + "\n";
    return all;
  }
  return "";
}

template <class Item>
std::vector<std::string> names(const std::vector<Item>& items) {
  std::vector<std::string> out;
  for (const Item& item : items) {
    if constexpr (std::is_pointer_v<Item>) {
      out.push_back(item->name);
    } else {
      out.push_back(item.name);
    }
  }
  return out;
}

using Names = std::vector<std::string>;

}  // namespace porter::settings::test
