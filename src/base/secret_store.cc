// See secret_store.h. The only file that knows libsodium.
#include "base/secret_store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sodium.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>

#include "base/json_full.h"
#include "base/text.h"

namespace sluice {
namespace {

constexpr size_t kKeyBytes = crypto_aead_xchacha20poly1305_ietf_KEYBYTES;
constexpr size_t kNonceBytes = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
constexpr size_t kSealBytes = crypto_aead_xchacha20poly1305_ietf_ABYTES;
constexpr size_t kMaxSecretBytes = 64 << 10;
constexpr uint64_t kMaxStoreBytes = 16 << 20;

std::string Hex(std::string_view bytes) {
  std::string text(bytes.size() * 2 + 1, '\0');
  sodium_bin2hex(text.data(), text.size(), reinterpret_cast<const unsigned char*>(bytes.data()),
                 bytes.size());
  text.pop_back();
  return text;
}

std::optional<std::string> Unhex(std::string_view text) {
  std::string bytes(text.size() / 2, '\0');
  size_t size = 0;
  const char* end = nullptr;
  if (sodium_hex2bin(reinterpret_cast<unsigned char*>(bytes.data()), bytes.size(), text.data(),
                     text.size(), nullptr, &size, &end) != 0 ||
      end != text.data() + text.size() || size != bytes.size()) {
    return std::nullopt;
  }
  return bytes;
}

std::string RandomHex(size_t bytes) {
  std::string random(bytes, '\0');
  randombytes_buf(random.data(), random.size());
  return Hex(random);
}

struct Key {
  std::string id;
  Secret bytes;
};

// The id says which key a value needs without telling anything of the key.
Key MakeKey(Secret bytes) {
  std::array<unsigned char, 8> id{};
  constexpr std::string_view kContext = "sluice key id";
  const std::string_view open = bytes.Open();
  crypto_generichash(id.data(), id.size(), reinterpret_cast<const unsigned char*>(kContext.data()),
                     kContext.size(), reinterpret_cast<const unsigned char*>(open.data()),
                     open.size());
  return {Hex({reinterpret_cast<const char*>(id.data()), id.size()}), std::move(bytes)};
}

std::string AssociatedData(const std::string& name, int64_t version) {
  return fmt::format("sluice secret 1{}{}{}{}", '\0', name, '\0', version);
}

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

bool IsName(std::string_view text) {
  return !text.empty() && text.size() <= 128 &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) {
           return std::isalnum(c) || c == '_' || c == '-' || c == '.' || c == '/';
         });
}

class FileLock {  // of one store; held until destroyed
 public:
  static Result<FileLock> Take(const std::string& path) {
    const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0) return SystemError(fmt::format("opening '{}'", path), errno);
    FileLock lock(file);
    while (::flock(file, LOCK_EX) != 0) {
      if (errno != EINTR) return SystemError(fmt::format("locking '{}'", path), errno);
    }
    return lock;
  }
  FileLock(FileLock&& other) noexcept : file_(std::exchange(other.file_, -1)) {}
  FileLock& operator=(FileLock&&) = delete;
  ~FileLock() {
    if (file_ >= 0) ::close(file_);
  }

 private:
  explicit FileLock(int file) : file_(file) {}
  int file_;
};

Status WritePrivately(const std::string& path, const Secret& text) {
  const std::string temporary = path + ".new";
  (void)::unlink(temporary.c_str());
  const int file = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file < 0) return SystemError(fmt::format("making the key file '{}'", path), errno);
  const std::string_view bytes = text.Open();
  const bool written =
      ::write(file, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()) &&
      ::fsync(file) == 0;
  const int code = errno;
  ::close(file);
  if (!written) return SystemError(fmt::format("writing the key file '{}'", path), code);
  if (::rename(temporary.c_str(), path.c_str()) != 0)
    return SystemError(fmt::format("writing the key file '{}'", path), errno);
  return Ok();
}

Status RefuseOpenFile(const std::string& path) {
  struct stat facts {};
  if (::stat(path.c_str(), &facts) != 0)
    return SystemError(fmt::format("looking at the key file '{}'", path), errno);
  if ((facts.st_mode & 077) == 0) return Ok();
  return ConfigError({}, fmt::format("the key file '{}' has mode {:03o}: others may read it; "
                                     "chmod 600 it, and rotate if they did",
                                     path, facts.st_mode & 0777));
}

}  // namespace

struct SecretStore::Contents {
  struct Entry {
    int64_t version = 0;
    std::chrono::microseconds set_at{0};
    std::string key, nonce, sealed;  // bytes, but for the key's id
  };
  std::string id;
  std::map<std::string, Entry> entries;

  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (const auto& [name, entry] : entries) names.push_back(name);
    return names;
  }
};

// The keys there are, the one that seals first.
class SecretStore::Keys {
 public:
  Keys(Files& files, Environment environment, const std::string& store_id)
      : files_(files), environment_(environment), store_id_(store_id) {}

  Result<std::string> Place() const {
    if (Has("SLUICE_KEY")) return std::string("SLUICE_KEY");
    if (Has("SLUICE_KEY_FILE")) return std::string(environment_("SLUICE_KEY_FILE"));
    std::string folder;
    if (Has("XDG_CONFIG_HOME"))
      folder = environment_("XDG_CONFIG_HOME");
    else if (Has("HOME"))
      folder = std::string(environment_("HOME")) + "/.config";
    else
      return ConfigError({},
                         "there is no place for a key: give it in SLUICE_KEY, or a file in "
                         "SLUICE_KEY_FILE");
    return fmt::format("{}/sluice/keys/{}.key", folder, store_id_);
  }

  Status Load() {
    const std::string place = TRY(Place());
    if (Has("SLUICE_KEY")) return Parse(environment_("SLUICE_KEY"), ',', place);
    if (!files_.Exists(place)) return Ok();
    TRY(RefuseOpenFile(place));
    const Secret text(TRY(files_.ReadAll(place, 4096)));
    return Parse(text.Open(), '\n', place);
  }

  // Puts a new key before the others, in the file.
  Status Add() {
    std::string bytes(kKeyBytes, '\0');
    randombytes_buf(bytes.data(), bytes.size());
    keys_.insert(keys_.begin(), MakeKey(Secret(bytes)));
    sodium_memzero(bytes.data(), bytes.size());
    return Save();
  }
  Status DropOld() {
    if (keys_.size() <= 1) return Ok();
    keys_.resize(1);
    return Save();
  }
  bool FromEnvironment() const { return Has("SLUICE_KEY"); }
  bool empty() const { return keys_.empty(); }
  const Key& first() const { return keys_.front(); }
  const Key* Find(const std::string& id) const {
    for (const Key& key : keys_) {
      if (key.id == id) return &key;
    }
    return nullptr;
  }

 private:
  bool Has(const char* name) const {
    const char* value = environment_(name);
    return value != nullptr && *value != '\0';
  }

  Status Parse(std::string_view text, char between, const std::string& place) {
    while (!text.empty()) {
      const size_t end = std::min(text.find(between), text.size());
      const std::string_view word = Trim(text.substr(0, end));
      text.remove_prefix(std::min(end + 1, text.size()));
      if (word.empty()) continue;
      auto bytes = Unhex(word);
      if (!bytes || bytes->size() != kKeyBytes) {
        return ConfigError({}, fmt::format("{} holds no key: {} hexadecimal digits are valid",
                                           place, kKeyBytes * 2));
      }
      keys_.push_back(MakeKey(Secret(*bytes)));
      sodium_memzero(bytes->data(), bytes->size());
    }
    return Ok();
  }

  Status Save() {
    const std::string place = TRY(Place());
    TRY(files_.MakeFolders(ParentFolder(place)));
    std::string text;
    text.reserve(keys_.size() * (kKeyBytes * 2 + 1));  // never moved: no copy is left behind
    for (const Key& key : keys_) {
      std::string hex = Hex(key.bytes.Open());
      text += hex;
      text += '\n';
      sodium_memzero(hex.data(), hex.size());
    }
    const Secret secret(text);
    sodium_memzero(text.data(), text.size());
    TRY(WritePrivately(place, secret));
    return files_.SyncFolder(ParentFolder(place));
  }

  Files& files_;
  const Environment environment_;
  const std::string store_id_;
  std::vector<Key> keys_;
};

namespace {

struct Sealed {
  std::string nonce, bytes;
};

Sealed Seal(const Key& key, const std::string& name, int64_t version, const Secret& value) {
  Sealed sealed{std::string(kNonceBytes, '\0'),
                std::string(value.Open().size() + kSealBytes, '\0')};
  randombytes_buf(sealed.nonce.data(), sealed.nonce.size());
  const std::string data = AssociatedData(name, version);
  unsigned long long size = 0;
  crypto_aead_xchacha20poly1305_ietf_encrypt(reinterpret_cast<unsigned char*>(sealed.bytes.data()),
                                             &size, Bytes(value.Open()), value.Open().size(),
                                             Bytes(data), data.size(), nullptr, Bytes(sealed.nonce),
                                             Bytes(key.bytes.Open()));
  sealed.bytes.resize(size);
  return sealed;
}

std::optional<Secret> Unseal(const Key& key, const std::string& name, int64_t version,
                             const std::string& nonce, const std::string& sealed) {
  if (nonce.size() != kNonceBytes || sealed.size() < kSealBytes) return std::nullopt;
  std::string value(sealed.size() - kSealBytes, '\0');
  const std::string data = AssociatedData(name, version);
  unsigned long long size = 0;
  if (crypto_aead_xchacha20poly1305_ietf_decrypt(
          reinterpret_cast<unsigned char*>(value.data()), &size, nullptr, Bytes(sealed),
          sealed.size(), Bytes(data), data.size(), Bytes(nonce), Bytes(key.bytes.Open())) != 0) {
    return std::nullopt;
  }
  Secret secret(value);
  sodium_memzero(value.data(), value.size());
  return secret;
}

Error NoSuchSecret(const std::string& name, const std::vector<std::string>& known) {
  const auto near = Nearest(name, known);
  return ConfigError(
      {},
      fmt::format("there is no secret '{}'{}; sluice secrets set {} stores it", EscapeControl(name),
                  near ? fmt::format(" (did you mean '{}'?)", *near) : "", EscapeControl(name)));
}

}  // namespace

SecretStore::SecretStore(Files& files, std::string path, Environment environment)
    : files_(files), path_(std::move(path)), environment_(environment) {}
SecretStore::~SecretStore() = default;

Result<SecretStore::Contents> SecretStore::Load() {
  if (::sodium_init() < 0) return InternalError("libsodium does not start");
  Contents contents;
  if (!files_.Exists(path_)) {
    contents.id = RandomHex(8);
    return contents;
  }
  const Error damaged = RejectedError(
      fmt::format("the store of secrets '{}' is damaged; restore it from a backup", path_));
  const auto json = ParseJson(TRY(files_.ReadAll(path_, kMaxStoreBytes)));
  if (!json.ok() || !json->is_object() || json->value("format", 0) != 1) return damaged;
  try {
    contents.id = json->at("id").get<std::string>();
    for (const auto& [name, entry] : json->at("secrets").items()) {
      const auto nonce = Unhex(entry.at("nonce").get<std::string>());
      const auto sealed = Unhex(entry.at("sealed").get<std::string>());
      if (!nonce || !sealed) return damaged;
      contents.entries[name] = {
          .version = entry.at("version").get<int64_t>(),
          .set_at = std::chrono::microseconds(entry.at("set_at").get<int64_t>()),
          .key = entry.at("key").get<std::string>(),
          .nonce = *nonce,
          .sealed = *sealed};
    }
  } catch (const std::exception&) {
    return damaged;
  }
  return contents;
}

Status SecretStore::Save(const Contents& contents) {
  Json secrets = Json::object();
  for (const auto& [name, entry] : contents.entries) {
    secrets[name] = {{"version", entry.version},
                     {"set_at", entry.set_at.count()},
                     {"key", entry.key},
                     {"nonce", Hex(entry.nonce)},
                     {"sealed", Hex(entry.sealed)}};
  }
  const Json json{{"format", 1}, {"id", contents.id}, {"secrets", std::move(secrets)}};
  return WriteAtomically(files_, path_, json.dump(1) + "\n");
}

Result<std::vector<SecretFacts>> SecretStore::List() {
  std::vector<SecretFacts> facts;
  for (const auto& [name, entry] : TRY(Load()).entries)
    facts.push_back({name, entry.version, entry.set_at});
  return facts;
}

Result<std::string> SecretStore::KeyPlace() {
  return Keys(files_, environment_, TRY(Load()).id).Place();
}

Result<Secret> SecretStore::Read(const std::string& name) {
  const Contents contents = TRY(Load());
  const auto found = contents.entries.find(name);
  if (found == contents.entries.end()) return NoSuchSecret(name, contents.Names());
  const Contents::Entry& entry = found->second;
  Keys keys(files_, environment_, contents.id);
  TRY(keys.Load());
  const Key* key = keys.Find(entry.key);
  if (key == nullptr) {
    return ConfigError(
        {}, fmt::format("secret '{}' is sealed with the key {}, which is not in {}; give that key "
                        "in SLUICE_KEY or SLUICE_KEY_FILE, or store the secret again",
                        name, entry.key, TRY(keys.Place())));
  }
  if (auto value = Unseal(*key, name, entry.version, entry.nonce, entry.sealed)) return *value;
  return RejectedError(fmt::format(
      "secret '{}' does not open: the store '{}' was changed by hand or is damaged", name, path_));
}

Result<int64_t> SecretStore::Set(const std::string& name, const Secret& value,
                                 std::chrono::microseconds now) {
  if (!IsName(name)) {
    return ConfigError({}, fmt::format("'{}' is no name for a secret: letters, digits, _ - . /",
                                       EscapeControl(name)));
  }
  if (value.empty()) return ConfigError({}, fmt::format("the value of '{}' is empty", name));
  if (value.Open().size() > kMaxSecretBytes) {
    return ConfigError(
        {}, fmt::format("the value of '{}' is larger than {}", name, FormatBytes(kMaxSecretBytes)));
  }
  TRY(files_.MakeFolders(ParentFolder(path_)));
  const FileLock lock = TRY(FileLock::Take(path_ + ".lock"));
  Contents contents = TRY(Load());
  Keys keys(files_, environment_, contents.id);
  TRY(keys.Load());
  if (keys.empty()) TRY(keys.Add());
  Contents::Entry& entry = contents.entries[name];
  ++entry.version;
  entry.set_at = now;
  entry.key = keys.first().id;
  Sealed sealed = Seal(keys.first(), name, entry.version, value);
  entry.nonce = std::move(sealed.nonce);
  entry.sealed = std::move(sealed.bytes);
  TRY(Save(contents));
  return entry.version;
}

Status SecretStore::Remove(const std::string& name) {
  if (!files_.Exists(path_)) return NoSuchSecret(name, {});
  const FileLock lock = TRY(FileLock::Take(path_ + ".lock"));
  Contents contents = TRY(Load());
  if (contents.entries.erase(name) == 0) return NoSuchSecret(name, contents.Names());
  return Save(contents);
}

Result<size_t> SecretStore::Rotate() {
  if (!files_.Exists(path_)) return size_t{0};
  const FileLock lock = TRY(FileLock::Take(path_ + ".lock"));
  Contents contents = TRY(Load());
  Keys keys(files_, environment_, contents.id);
  TRY(keys.Load());
  if (!keys.FromEnvironment()) TRY(keys.Add());
  for (auto& [name, entry] : contents.entries) {
    const Secret value = TRY(Read(name));
    Sealed sealed = Seal(keys.first(), name, entry.version, value);
    entry.key = keys.first().id;
    entry.nonce = std::move(sealed.nonce);
    entry.sealed = std::move(sealed.bytes);
  }
  TRY(Save(contents));
  if (!keys.FromEnvironment()) TRY(keys.DropOld());
  return contents.entries.size();
}

}  // namespace sluice
