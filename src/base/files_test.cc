// The local file system: whole or not at all, never over another, and the helpers of paths.
#include "base/files.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

namespace sluice {
namespace {

class FilesTest : public testing::Test {
 protected:
  FilesTest() {
    std::string name = testing::TempDir() + "files_XXXXXX";
    folder_ = ::mkdtemp(name.data());
  }
  ~FilesTest() override { (void)files_->RemoveAll(folder_); }

  std::string In(const std::string& name) const { return folder_ + "/" + name; }
  std::string Read(const std::string& name) { return files_->ReadAll(In(name), 1 << 20).value(); }
  void Write(const std::string& name, std::string_view bytes) {
    ASSERT_TRUE(WriteAtomically(*files_, In(name), bytes).ok()) << name;
  }

  std::string folder_;
  std::unique_ptr<Files> files_ = LocalFiles();
};

// Passes everything on, and fails the call whose name it was given.
class Failing final : public Files {
 public:
  Failing(Files& inner, std::string fails) : inner_(inner), fails_(std::move(fails)) {}

  class FailingFile final : public File {
   public:
    FailingFile(std::unique_ptr<File> inner, std::string fails)
        : inner_(std::move(inner)), fails_(std::move(fails)) {}
    Result<size_t> ReadAt(uint64_t offset, std::span<char> into) override {
      return inner_->ReadAt(offset, into);
    }
    Status Append(std::string_view bytes) override {
      if (fails_ != "append") return inner_->Append(bytes);
      TRY(inner_->Append(bytes.substr(0, bytes.size() / 2)));
      return RejectedError("disk full");
    }
    Status Sync() override {
      if (fails_ == "sync") return RejectedError("input/output error");
      return inner_->Sync();
    }

   private:
    std::unique_ptr<File> inner_;
    std::string fails_;
  };

  Result<std::unique_ptr<File>> Open(const std::string& path, Mode mode) override {
    return std::make_unique<FailingFile>(TRY(inner_.Open(path, mode)), fails_);
  }
  Result<std::string> ReadAll(const std::string& path, uint64_t limit) override {
    return inner_.ReadAll(path, limit);
  }
  Result<FileFacts> Facts(const std::string& path) override { return inner_.Facts(path); }
  bool Exists(const std::string& path) override { return inner_.Exists(path); }
  Status Rename(const std::string& from, const std::string& to) override {
    if (fails_ == "rename") return RejectedError("cross-device");
    return inner_.Rename(from, to);
  }
  Status RenameNoReplace(const std::string& from, const std::string& to) override {
    return inner_.RenameNoReplace(from, to);
  }
  Status Remove(const std::string& path) override { return inner_.Remove(path); }
  Status RemoveAll(const std::string& path) override { return inner_.RemoveAll(path); }
  Status MakeFolders(const std::string& path) override { return inner_.MakeFolders(path); }
  Status Sync(const std::string& path) override { return inner_.Sync(path); }
  Status SyncFolder(const std::string& path) override {
    if (fails_ == "sync folder") return RejectedError("input/output error");
    return inner_.SyncFolder(path);
  }
  Result<std::vector<std::string>> Glob(const std::string& pattern) override {
    return inner_.Glob(pattern);
  }

 private:
  Files& inner_;
  const std::string fails_;
};

TEST_F(FilesTest, ReadsWhatWasAppended) {
  {
    auto file = files_->Open(In("a"), Files::Mode::kCreateNew).value();
    ASSERT_TRUE(file->Append("hello ").ok());
    ASSERT_TRUE(file->Append("world").ok());
    ASSERT_TRUE(file->Sync().ok());
    std::string part(5, '.');
    EXPECT_EQ(file->ReadAt(6, part).value(), 5u);
    EXPECT_EQ(part, "world");
    EXPECT_EQ(file->ReadAt(9, part).value(), 2u);
    EXPECT_EQ(file->ReadAt(11, part).value(), 0u);
  }
  EXPECT_EQ(Read("a"), "hello world");
}

TEST_F(FilesTest, ModesKeepTheirWord) {
  Write("a", "old");
  EXPECT_EQ(files_->Open(In("a"), Files::Mode::kCreateNew).error().kind, ErrorKind::kRejected);
  EXPECT_EQ(Read("a"), "old");
  ASSERT_TRUE(files_->Open(In("a"), Files::Mode::kTruncate).ok());
  EXPECT_EQ(Read("a"), "");
  EXPECT_FALSE(files_->Open(In("a"), Files::Mode::kRead).value()->Append("x").ok());
  const Error missing = files_->Open(In("none"), Files::Mode::kRead).error();
  EXPECT_EQ(missing.message, "opening '" + In("none") + "': No such file or directory");
}

TEST_F(FilesTest, ReadAllStopsAtTheLimit) {
  const std::string large(200'000, 'x');
  Write("large", large);
  EXPECT_EQ(files_->ReadAll(In("large"), 200'000).value(), large);
  EXPECT_EQ(files_->ReadAll(In("large"), 199'999).error().kind, ErrorKind::kRejected);
  EXPECT_EQ(files_->ReadAll(In("large"), 10).error().kind, ErrorKind::kRejected);
}

TEST_F(FilesTest, FactsTellFilesFromFolders) {
  Write("a", "12345");
  const FileFacts file = files_->Facts(In("a")).value();
  EXPECT_EQ(file.size, 5u);
  EXPECT_FALSE(file.folder);
  EXPECT_GT(file.modified_ns, 1'600'000'000'000'000'000);
  EXPECT_TRUE(files_->Facts(folder_).value().folder);
  EXPECT_NE(files_->Facts(folder_).value().inode, file.inode);
  EXPECT_FALSE(files_->Facts(In("none")).ok());
}

TEST_F(FilesTest, WriteAtomicallyReplacesAndLeavesNothingElse) {
  Write("a", "old");
  Write("a", "new");
  EXPECT_EQ(Read("a"), "new");
  EXPECT_EQ(files_->Glob(In("*")).value(), std::vector{In("a")});
  EXPECT_EQ(files_->Glob(In(".*")).value(), std::vector<std::string>{});
}

TEST_F(FilesTest, AFailedWriteLeavesTheOldFile) {
  for (const char* fails : {"append", "sync", "rename"}) {
    Write("a", "old");
    Failing failing(*files_, fails);
    EXPECT_FALSE(WriteAtomically(failing, In("a"), "new and longer").ok()) << fails;
    EXPECT_EQ(Read("a"), "old") << fails;
    EXPECT_EQ(files_->Glob(In(".*")).value(), std::vector<std::string>{}) << fails;
  }
  Failing failing(*files_, "sync folder");
  EXPECT_FALSE(WriteAtomically(failing, In("a"), "new").ok()) << "not durable is not done";
}

TEST_F(FilesTest, RenameNoReplaceRefusesATakenName) {
  Write("mine", "mine");
  Write("theirs", "theirs");
  EXPECT_EQ(files_->RenameNoReplace(In("mine"), In("theirs")).error().kind, ErrorKind::kRejected);
  EXPECT_EQ(Read("theirs"), "theirs");
  EXPECT_EQ(Read("mine"), "mine");
  ASSERT_TRUE(files_->RenameNoReplace(In("mine"), In("free")).ok());
  EXPECT_EQ(Read("free"), "mine");
  EXPECT_FALSE(files_->Exists(In("mine")));
  ASSERT_TRUE(files_->Rename(In("free"), In("theirs")).ok());
  EXPECT_EQ(Read("theirs"), "mine");
}

TEST_F(FilesTest, RemoveIsFineWithNothingThere) {
  EXPECT_TRUE(files_->Remove(In("none")).ok());
  EXPECT_TRUE(files_->RemoveAll(In("none")).ok());
  ASSERT_TRUE(files_->MakeFolders(In("f/g")).ok());
  EXPECT_FALSE(files_->Remove(In("f")).ok()) << "not empty";
  EXPECT_TRUE(files_->Remove(In("f/g")).ok());
  EXPECT_TRUE(files_->RemoveAll(In("f")).ok());
  EXPECT_FALSE(files_->Exists(In("f")));
}

TEST_F(FilesTest, RemoveAllDoesNotFollowLinks) {
  ASSERT_TRUE(files_->MakeFolders(In("keep")).ok());
  Write("keep/a", "a");
  ASSERT_TRUE(files_->MakeFolders(In("drop")).ok());
  ASSERT_EQ(::symlink(In("keep").c_str(), In("drop/link").c_str()), 0);
  ASSERT_TRUE(files_->RemoveAll(In("drop")).ok());
  EXPECT_EQ(Read("keep/a"), "a");
}

TEST_F(FilesTest, MakeFoldersMakesParents) {
  EXPECT_TRUE(files_->MakeFolders(In("a/b/c")).ok());
  EXPECT_TRUE(files_->MakeFolders(In("a/b/c")).ok());
  EXPECT_TRUE(files_->MakeFolders(In("a/d/")).ok());
  EXPECT_TRUE(files_->Facts(In("a/b/c")).value().folder);
  EXPECT_TRUE(files_->Facts(In("a/d")).value().folder);
  Write("file", "");
  EXPECT_FALSE(files_->MakeFolders(In("file")).ok());
  EXPECT_FALSE(files_->MakeFolders(In("file/below")).ok());
}

TEST_F(FilesTest, SyncNamesWhatIsMissing) {
  Write("a", "a");
  EXPECT_TRUE(files_->Sync(In("a")).ok());
  EXPECT_TRUE(files_->SyncFolder(folder_).ok());
  EXPECT_FALSE(files_->Sync(In("none")).ok());
  EXPECT_FALSE(files_->SyncFolder(In("a")).ok());
}

TEST(PathTest, TakesPathsApart) {
  EXPECT_EQ(ParentFolder("a/b.c"), "a");
  EXPECT_EQ(ParentFolder("b.c"), ".");
  EXPECT_EQ(ParentFolder("/b.c"), "/");
  EXPECT_EQ(ParentFolder("/"), "/");
  EXPECT_EQ(ParentFolder("a/b/"), "a");
  EXPECT_EQ(FileName("a/b.c"), "b.c");
  EXPECT_EQ(FileName("a/b/"), "b");
  EXPECT_EQ(FileStem("a/b.csv.gz"), "b");
  EXPECT_EQ(FileStem("a.b/c"), "c");
  EXPECT_EQ(FileStem(".env.local"), ".env");
  EXPECT_EQ(JoinPath("a", "b"), "a/b");
  EXPECT_EQ(JoinPath("a/", "b"), "a/b");
  EXPECT_EQ(JoinPath("a", "/b"), "/b");
  EXPECT_EQ(JoinPath("", "b"), "b");
  EXPECT_EQ(JoinPath(".", "b"), "b");
}

}  // namespace
}  // namespace sluice
