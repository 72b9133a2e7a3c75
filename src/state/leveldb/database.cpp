#include "state/leveldb/database.h"

#include "os/file.h"
#include "state/leveldb/overlay_env.h"
#include "state/state_file.h"

#include <fcntl.h>
#include <leveldb/db.h>
#include <leveldb/write_batch.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <thread>

namespace runvm::state {

namespace {

constexpr std::chrono::milliseconds longest_pause(8);
// Room for a change when the disk is full: given up for the deletion that makes room for good.
constexpr off_t spare_bytes = 1 << 20;
constexpr size_t write_buffer_bytes = 1 << 20;

std::string spare_path(const std::string& database) {
    return database + "-spare";
}

Result<os::Fd> lock_folder(const std::string& path, int operation, int limit_ms) {
    auto folder = os::open_file(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!folder)
        return folder;
    auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(limit_ms);
    std::chrono::milliseconds pause(1);
    while (::flock(folder->get(), operation | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return system_error("lock " + path);
        if (std::chrono::steady_clock::now() > deadline)
            return Error(ErrorKind::unavailable, path + " is in use by a command that has not ended within " +
                                                     std::to_string(limit_ms) + " ms");
        std::this_thread::sleep_for(pause);
        pause = std::min(pause * 2, longest_pause);
    }
    return folder;
}

// LevelDB keeps the reason as words only.
int errno_in(const std::string& words) {
    for (int number : {ENOSPC, EROFS, EACCES, EDQUOT, EMFILE, EIO})
        if (words.find(::strerror(number)) != std::string::npos)
            return number;
    return EIO;
}

Error to_error(const leveldb::Status& status, const std::string& path) {
    std::string words = status.ToString();
    if (status.IsCorruption())
        return corrupted(path, words);
    return {ErrorKind::system, path + ": " + words, errno_in(words)};
}

void keep_spare(const std::string& path) {
    struct stat info {};
    if (::stat(path.c_str(), &info) == 0 && info.st_size >= spare_bytes)
        return; // less: it was killed in between
    os::Fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    if (file && ::posix_fallocate(file.get(), 0, spare_bytes) != 0)
        ::unlink(path.c_str());
}

} // namespace

Database::Database(std::string path, os::Fd lock) : path_(std::move(path)), lock_(std::move(lock)) {}
Database::Database(Database&&) noexcept = default;
Database::~Database() {
    if (env_)
        env_->about_to_close();
    db_.reset(); // before the lock goes
}

Result<void> Database::open(std::unique_ptr<StoreEnv> env, bool create) {
    leveldb::Options options;
    options.env = env.get();
    options.create_if_missing = create;
    options.paranoid_checks = true;
    options.write_buffer_size = write_buffer_bytes;
    options.compression = leveldb::kNoCompression;
    leveldb::DB* db = nullptr;
    leveldb::Status status = leveldb::DB::Open(options, path_, &db);
    if (status.IsCorruption() && create) {
        status = leveldb::RepairDB(path_, options);
        if (status.ok())
            status = leveldb::DB::Open(options, path_, &db);
    }
    if (!status.ok())
        return to_error(status, path_);
    env_ = std::move(env);
    db_.reset(db);
    return {};
}

bool Database::exists(const std::string& root) {
    struct stat info {};
    return ::stat((folder(root) + "/CURRENT").c_str(), &info) == 0 || errno != ENOENT;
}

Result<std::optional<Database>> Database::open_to_read(const std::string& root, int limit_ms) {
    if (!exists(root))
        return std::optional<Database>();
    std::string path = folder(root);
    RUNVM_ASSIGN(os::Fd lock, lock_folder(path, LOCK_SH, limit_ms));
    Database database(path, std::move(lock));
    RUNVM_TRY(database.open(make_reading_env(), false));
    return std::optional<Database>(std::move(database));
}

Result<Database> Database::open_to_write(const std::string& root, int limit_ms) {
    std::string path = folder(root);
    RUNVM_TRY(os::make_folders(root, 0700));
    if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST)
        return system_error("mkdir " + path);
    RUNVM_ASSIGN(os::Fd lock, lock_folder(path, LOCK_EX, limit_ms));
    Database database(path, std::move(lock));
    RUNVM_TRY(database.open(make_writing_env(), true));
    return database;
}

bool Database::give_up_spare(const std::string& root) {
    return ::unlink(spare_path(folder(root)).c_str()) == 0;
}

Result<std::optional<std::string>> Database::get(const std::string& key) const {
    leveldb::ReadOptions options;
    options.verify_checksums = true;
    std::string value;
    leveldb::Status status = db_->Get(options, key, &value);
    if (status.IsNotFound())
        return std::optional<std::string>();
    if (!status.ok())
        return to_error(status, path_);
    return std::optional<std::string>(std::move(value));
}

Result<std::vector<std::string>> Database::keys(const std::string& prefix) const {
    std::vector<std::string> keys;
    std::unique_ptr<leveldb::Iterator> iterator(db_->NewIterator({}));
    for (iterator->Seek(prefix); iterator->Valid(); iterator->Next()) {
        std::string key = iterator->key().ToString();
        if (!key.starts_with(prefix))
            break;
        keys.push_back(key.substr(prefix.size()));
    }
    if (!iterator->status().ok())
        return to_error(iterator->status(), path_);
    return keys;
}

Result<void> Database::put(const std::vector<std::pair<std::string, std::string>>& entries) {
    leveldb::WriteBatch batch;
    for (const auto& [key, value] : entries)
        batch.Put(key, value);
    leveldb::WriteOptions options;
    options.sync = true;
    leveldb::Status status = db_->Write(options, &batch);
    if (!status.ok())
        return to_error(status, path_);
    keep_spare(spare_path(path_));
    return {};
}

Result<void> Database::remove(const std::vector<std::string>& keys) {
    leveldb::WriteBatch batch;
    for (const std::string& key : keys)
        batch.Delete(key);
    leveldb::WriteOptions options;
    options.sync = true;
    leveldb::Status status = db_->Write(options, &batch);
    return status.ok() ? Result<void>() : to_error(status, path_);
}

} // namespace runvm::state
