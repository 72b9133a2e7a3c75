#include "state/leveldb/overlay_env.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace runvm::state {

namespace {

using leveldb::Slice;
using leveldb::Status;

class SilentLogger final : public leveldb::Logger {
public:
    void Logv(const char*, std::va_list) override {}
};

class WritingEnv : public StoreEnv {
public:
    WritingEnv() : StoreEnv(Env::Default()) {}
    ~WritingEnv() override {
        for (std::thread& thread : threads_)
            thread.join();
    }
    WritingEnv(const WritingEnv&) = delete;
    WritingEnv& operator=(const WritingEnv&) = delete;

    void Schedule(void (*work)(void*), void* argument) override {
        std::lock_guard lock(mutex_);
        threads_.emplace_back(work, argument);
    }
    void StartThread(void (*work)(void*), void* argument) override { Schedule(work, argument); }
    Status NewLogger(const std::string&, leveldb::Logger** logger) override {
        *logger = new SilentLogger; // LevelDB's to delete
        return Status::OK();
    }

private:
    std::mutex mutex_;
    std::vector<std::thread> threads_;
};

using Content = std::shared_ptr<std::string>;

class MemoryReader final : public leveldb::SequentialFile {
public:
    explicit MemoryReader(Content content) : content_(std::move(content)) {}
    Status Read(size_t bytes, Slice* result, char* scratch) override {
        size_t count = content_->copy(scratch, std::min(bytes, content_->size() - at_), at_);
        at_ += count;
        *result = Slice(scratch, count);
        return Status::OK();
    }
    Status Skip(uint64_t bytes) override {
        at_ += std::min<uint64_t>(bytes, content_->size() - at_);
        return Status::OK();
    }

private:
    Content content_;
    size_t at_ = 0;
};

class MemoryPages final : public leveldb::RandomAccessFile {
public:
    explicit MemoryPages(Content content) : content_(std::move(content)) {}
    Status Read(uint64_t offset, size_t bytes, Slice* result, char* scratch) const override {
        if (offset > content_->size())
            return Status::IOError("read beyond the end of a file");
        *result = Slice(scratch, content_->copy(scratch, bytes, offset));
        return Status::OK();
    }

private:
    Content content_;
};

class MemoryWriter final : public leveldb::WritableFile {
public:
    explicit MemoryWriter(Content content) : content_(std::move(content)) {}
    Status Append(const Slice& data) override {
        content_->append(data.data(), data.size());
        return Status::OK();
    }
    Status Close() override { return Status::OK(); }
    Status Flush() override { return Status::OK(); }
    Status Sync() override { return Status::OK(); }

private:
    Content content_;
};

class NoLock final : public leveldb::FileLock {};

class ReadingEnv final : public WritingEnv {
public:
    Status NewSequentialFile(const std::string& name, leveldb::SequentialFile** file) override {
        if (Content content = find(name)) {
            *file = new MemoryReader(content);
            return Status::OK();
        }
        return is_removed(name) ? missing(name) : target()->NewSequentialFile(name, file);
    }
    Status NewRandomAccessFile(const std::string& name, leveldb::RandomAccessFile** file) override {
        if (Content content = find(name)) {
            *file = new MemoryPages(content);
            return Status::OK();
        }
        return is_removed(name) ? missing(name) : target()->NewRandomAccessFile(name, file);
    }
    Status NewWritableFile(const std::string& name, leveldb::WritableFile** file) override {
        auto content = std::make_shared<std::string>();
        put(name, content);
        *file = new MemoryWriter(content);
        return Status::OK();
    }
    Status NewAppendableFile(const std::string& name, leveldb::WritableFile** file) override {
        Content content = find(name);
        if (!content) {
            content = std::make_shared<std::string>();
            if (FileExists(name))
                if (Status read = leveldb::ReadFileToString(target(), name, content.get()); !read.ok())
                    return read;
            put(name, content);
        }
        *file = new MemoryWriter(content);
        return Status::OK();
    }
    bool FileExists(const std::string& name) override {
        return find(name) || (!is_removed(name) && target()->FileExists(name));
    }
    Status GetChildren(const std::string& folder, std::vector<std::string>* names) override {
        Status status = target()->GetChildren(folder, names);
        std::lock_guard lock(mutex_);
        std::set<std::string> all;
        for (const std::string& name : *names)
            if (removed_.count(folder + "/" + name) == 0)
                all.insert(name);
        for (const auto& [path, content] : files_)
            if (path.starts_with(folder + "/"))
                all.insert(path.substr(folder.size() + 1));
        names->assign(all.begin(), all.end());
        return status;
    }
    Status RemoveFile(const std::string& name) override {
        std::lock_guard lock(mutex_);
        files_.erase(name);
        removed_.insert(name);
        return Status::OK();
    }
    Status CreateDir(const std::string&) override { return Status::OK(); }
    Status RemoveDir(const std::string&) override { return Status::OK(); }
    Status GetFileSize(const std::string& name, uint64_t* size) override {
        if (Content content = find(name)) {
            *size = content->size();
            return Status::OK();
        }
        return is_removed(name) ? missing(name) : target()->GetFileSize(name, size);
    }
    Status RenameFile(const std::string& from, const std::string& to) override {
        Content content = find(from);
        if (!content) // LevelDB renames only what it has just written
            return missing(from);
        put(to, content);
        return RemoveFile(from);
    }
    Status LockFile(const std::string&, leveldb::FileLock** lock) override {
        *lock = new NoLock;
        return Status::OK();
    }
    // LevelDB would compact what it has just opened, each time, and in vain. Once it is being closed the work
    // finds that there is none to do, and closing waits for that.
    void Schedule(void (*work)(void*), void* argument) override {
        std::unique_lock lock(mutex_);
        if (closing_) {
            lock.unlock();
            WritingEnv::Schedule(work, argument);
        } else {
            deferred_.emplace_back(work, argument);
        }
    }
    void about_to_close() override {
        std::lock_guard lock(mutex_);
        closing_ = true;
        for (auto [work, argument] : deferred_)
            WritingEnv::Schedule(work, argument);
        deferred_.clear();
    }
    Status UnlockFile(leveldb::FileLock* lock) override {
        delete static_cast<NoLock*>(lock);
        return Status::OK();
    }

private:
    static Status missing(const std::string& name) { return Status::NotFound(name, "removed"); }
    Content find(const std::string& name) {
        std::lock_guard lock(mutex_);
        auto file = files_.find(name);
        return file == files_.end() ? nullptr : file->second;
    }
    bool is_removed(const std::string& name) {
        std::lock_guard lock(mutex_);
        return removed_.count(name) != 0;
    }
    void put(const std::string& name, Content content) {
        std::lock_guard lock(mutex_);
        removed_.erase(name);
        files_[name] = std::move(content);
    }

    std::mutex mutex_;
    std::map<std::string, Content> files_;
    std::set<std::string> removed_;
    std::vector<std::pair<void (*)(void*), void*>> deferred_;
    bool closing_ = false;
};

} // namespace

std::unique_ptr<StoreEnv> make_writing_env() {
    return std::make_unique<WritingEnv>();
}

std::unique_ptr<StoreEnv> make_reading_env() {
    return std::make_unique<ReadingEnv>();
}

} // namespace runvm::state
