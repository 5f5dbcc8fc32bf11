// Every file of test/wrong is refused with exactly the message that its head comment says:
//   # expect: 3:9: message     what Format gives after the file's name
//   # date: …, # param: k=v    of the run
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/text.h"
#include "pipeline/test_project.h"

namespace sluice {
namespace {

constexpr const char* kFolder = "test/wrong";

std::string Header(const std::string& text, const std::string& key) {
  for (const std::string& line : Split(text, '\n')) {
    if (!StartsWith(line, "#")) break;
    const std::string prefix = "# " + key + ": ";
    if (StartsWith(line, prefix)) return line.substr(prefix.size());
  }
  return "";
}

std::vector<std::string> WrongFiles() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(kFolder)) {
    if (entry.path().extension() == ".yml") names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

TEST(WrongTest, EachFileIsRefusedWithItsMessage) {
  const auto names = WrongFiles();
  EXPECT_GE(names.size(), 60u);
  TestProject project;
  project.Run("CREATE TABLE w.src (id BIGINT, ts TIMESTAMP, amount DOUBLE)");
  project.Write("functions/clean.py",
                "async def later(row):\n  pass\n\ndef clean(row):\n  return row\n\n"
                "def pair(row, other):\n  return row\n");
  project.Write("functions/broken.py", "def clean(row):\n  return row +\n");
  for (const std::string& name : names) {
    std::ifstream stream(std::filesystem::path(kFolder) / name);
    std::stringstream buffer;
    buffer << stream.rdbuf();
    const std::string text = buffer.str();
    project.request.date.reset();
    project.request.params.clear();
    if (const std::string date = Header(text, "date"); !date.empty()) project.request.date = date;
    if (const std::string param = Header(text, "param"); !param.empty()) {
      project.request.params[param.substr(0, param.find('='))] = param.substr(param.find('=') + 1);
    }
    std::string message = project.ErrorOf(text);
    if (StartsWith(message, "p.yml:")) message = message.substr(6);
    if (StartsWith(message, project.folder()))
      message = message.substr(project.folder().size() + 1);
    if (const size_t end = message.find('\n'); end != std::string::npos)
      message.replace(end, 1, " | ");
    const bool same = message == Header(text, "expect");
    EXPECT_TRUE(same) << name << "\n  is:       " << message
                      << "\n  expected: " << Header(text, "expect");
  }
}

}  // namespace
}  // namespace sluice
