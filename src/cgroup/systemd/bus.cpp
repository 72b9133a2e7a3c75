#include "cgroup/systemd/bus.h"

#include <dlfcn.h>
#include <systemd/sd-bus.h>

#include <chrono>
#include <cstring>
#include <string_view>
#include <type_traits>
#include <utility>

namespace runvm::cgroup::systemd {

namespace {

constexpr const char* library_name = "libsystemd.so.0";
// Root's way to systemd that needs no bus, as for systemctl.
constexpr const char* private_address = "unix:path=/run/systemd/private";
constexpr const char* destination = "org.freedesktop.systemd1";
constexpr const char* object = "/org/freedesktop/systemd1";
constexpr const char* interface = "org.freedesktop.systemd1.Manager";
constexpr const char* unit_exists = "org.freedesktop.systemd1.UnitExists";
constexpr const char* no_such_unit = "org.freedesktop.systemd1.NoSuchUnit";
constexpr auto job_timeout = std::chrono::seconds(30); // runc's

// The functions of libsystemd that are used, by their names without "sd_".
#define RUNVM_SD_BUS_FUNCTIONS(each)                                                                         \
    each(bus_call) each(bus_error_free) each(bus_flush_close_unref) each(bus_match_signal)                   \
        each(bus_message_append) each(bus_message_append_array) each(bus_message_close_container)            \
            each(bus_message_new_method_call) each(bus_message_open_container) each(bus_message_read)        \
                each(bus_message_unref) each(bus_new) each(bus_open_system) each(bus_process)                \
                    each(bus_set_address) each(bus_start) each(bus_wait)

struct Library {
// NOLINTNEXTLINE(bugprone-macro-parentheses): a declared name
#define RUNVM_DECLARE(name) decltype(&::sd_##name) name = nullptr;
    RUNVM_SD_BUS_FUNCTIONS(RUNVM_DECLARE)
#undef RUNVM_DECLARE
};

/// Loaded for good.
Result<const Library*> load() {
    static Library library;
    static void* handle = nullptr;
    if (handle != nullptr)
        return &library;
    void* opened = ::dlopen(library_name, RTLD_NOW | RTLD_LOCAL);
    bool complete = opened != nullptr;
#define RUNVM_LOAD(name)                                                                                     \
    if (complete) {                                                                                          \
        library.name = reinterpret_cast<decltype(library.name)>(::dlsym(opened, "sd_" #name));               \
        complete = library.name != nullptr;                                                                  \
    }
    RUNVM_SD_BUS_FUNCTIONS(RUNVM_LOAD)
#undef RUNVM_LOAD
    if (!complete)
        return Error(ErrorKind::unavailable, std::string(library_name) +
                                                 " cannot be loaded, which --systemd-cgroup needs: " +
                                                 (opened == nullptr ? ::dlerror() : "it is too old"));
    handle = opened;
    return &library;
}

/// Of a negative errno, as sd-bus returns them.
Result<void> check(int result, const char* what) {
    if (result >= 0)
        return {};
    return system_error(what, -result);
}

} // namespace

class Bus::Connection {
public:
    explicit Connection(const Library& library) : library_(library) {}
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;
    ~Connection() {
        if (bus_ != nullptr)
            library_.bus_flush_close_unref(bus_);
    }

    Result<void> open();

    /// A message to the manager that is being put together, and called once.
    class Call {
    public:
        Call(Connection& connection, const char* method) : connection_(connection), method_(method) {
            status_ = connection.library_.bus_message_new_method_call(connection.bus_, &message_, destination,
                                                                      object, interface, method);
        }
        Call(const Call&) = delete;
        Call& operator=(const Call&) = delete;
        ~Call() { connection_.library_.bus_message_unref(message_); }

        template <class... Arguments>
        void append(const char* types, Arguments... arguments) {
            if (status_ >= 0)
                status_ = connection_.library_.bus_message_append(message_, types, arguments...);
        }
        void append(const std::vector<Property>& properties);
        /// The job that was made of it, if it makes one.
        Result<std::string> send(bool makes_job);

    private:
        void open(char type, const char* contents) {
            if (status_ >= 0)
                status_ = connection_.library_.bus_message_open_container(message_, type, contents);
        }
        void close() {
            if (status_ >= 0)
                status_ = connection_.library_.bus_message_close_container(message_);
        }
        template <class T>
        void append_array(char type, const std::vector<T>& values) {
            if (status_ >= 0)
                status_ = connection_.library_.bus_message_append_array(message_, type, values.data(),
                                                                        values.size() * sizeof(T));
        }
        void append(const Property& property);

        Connection& connection_;
        const char* method_;
        sd_bus_message* message_ = nullptr;
        int status_ = 0;
    };

    Result<void> await(const std::string& job);

private:
    static int job_removed(sd_bus_message* message, void* self, sd_bus_error* error);

    const Library& library_;
    sd_bus* bus_ = nullptr;
    std::vector<std::pair<std::string, std::string>> finished_; ///< jobs and how they ended
};

// systemd's own socket first: it is there before any bus, and root may.
Result<void> Bus::Connection::open() {
    bool direct = library_.bus_new(&bus_) >= 0 && library_.bus_set_address(bus_, private_address) >= 0 &&
                  library_.bus_start(bus_) >= 0;
    if (!direct) {
        if (bus_ != nullptr)
            library_.bus_flush_close_unref(std::exchange(bus_, nullptr));
        if (int status = library_.bus_open_system(&bus_); status < 0)
            return Error(ErrorKind::unavailable,
                         std::string("failed to connect to dbus: neither /run/systemd/private nor the system "
                                     "bus answers: ") +
                             std::strerror(-status)); // runc's first words
    }
    // On the direct way messages have no sender.
    RUNVM_TRY(check(library_.bus_match_signal(bus_, nullptr, direct ? nullptr : destination, object,
                                              interface, "JobRemoved", job_removed, this),
                    "listen to systemd's jobs"));
    Call subscribe(*this, "Subscribe");
    auto subscribed = subscribe.send(false);
    return subscribed ? Result<void>() : Result<void>(std::move(subscribed).error());
}

void Bus::Connection::Call::append(const Property& property) {
    struct Writer {
        Call& call;
        void operator()(bool value) const { call.append("v", "b", static_cast<int>(value)); }
        void operator()(uint64_t value) const { call.append("v", "t", value); }
        void operator()(const std::string& value) const { call.append("v", "s", value.c_str()); }
        void operator()(const std::vector<std::string>& values) const {
            call.open('v', "as");
            call.open('a', "s");
            for (const std::string& value : values)
                call.append("s", value.c_str());
            call.close();
            call.close();
        }
        void operator()(const std::vector<uint32_t>& values) const {
            call.open('v', "au");
            call.append_array('u', values);
            call.close();
        }
        void operator()(const std::vector<uint8_t>& values) const {
            call.open('v', "ay");
            call.append_array('y', values);
            call.close();
        }
    };
    open('r', "sv");
    append("s", property.name.c_str());
    std::visit(Writer{*this}, property.value);
    close();
}

void Bus::Connection::Call::append(const std::vector<Property>& properties) {
    open('a', "(sv)");
    for (const Property& property : properties)
        append(property);
    close();
}

Result<std::string> Bus::Connection::Call::send(bool makes_job) {
    const Library& library = connection_.library_;
    RUNVM_TRY(check(status_, method_));
    sd_bus_error error = SD_BUS_ERROR_NULL;
    sd_bus_message* answer = nullptr;
    int status = library.bus_call(connection_.bus_, message_, 0, &error, &answer);
    if (status < 0) {
        std::string name = error.name == nullptr ? "" : error.name;
        std::string words = error.message == nullptr ? std::strerror(-status) : error.message;
        library.bus_error_free(&error);
        ErrorKind kind = name == unit_exists    ? ErrorKind::already_exists
                         : name == no_such_unit ? ErrorKind::not_found
                                                : ErrorKind::unavailable;
        return Error(kind, std::string("systemd's ") + method_ + ": " + words);
    }
    const char* job = "";
    if (makes_job)
        status = library.bus_message_read(answer, "o", &job);
    std::string path = status < 0 ? "" : job;
    library.bus_message_unref(answer);
    RUNVM_TRY(check(status, method_));
    return path;
}

int Bus::Connection::job_removed(sd_bus_message* message, void* self, sd_bus_error*) {
    auto* connection = static_cast<Connection*>(self);
    uint32_t id = 0;
    const char* job = nullptr;
    const char* unit = nullptr;
    const char* result = nullptr;
    if (connection->library_.bus_message_read(message, "uoss", &id, &job, &unit, &result) >= 0)
        connection->finished_.emplace_back(job, result);
    return 0;
}

Result<void> Bus::Connection::await(const std::string& job) {
    using std::chrono::steady_clock;
    auto deadline = steady_clock::now() + job_timeout;
    while (true) {
        for (const auto& [path, result] : finished_)
            if (path == job)
                return result == "done" ? Result<void>()
                                        : Error(ErrorKind::unavailable, "systemd's job ended: " + result);
        auto left =
            std::chrono::duration_cast<std::chrono::microseconds>(deadline - steady_clock::now()).count();
        if (left <= 0)
            return Error(ErrorKind::timeout, "systemd's job is not done after 30 s");
        int handled = library_.bus_process(bus_, nullptr);
        RUNVM_TRY(check(handled, "listen to systemd"));
        if (handled == 0)
            RUNVM_TRY(check(library_.bus_wait(bus_, static_cast<uint64_t>(left)), "wait for systemd"));
    }
}

Bus::Bus(std::unique_ptr<Connection> connection) : connection_(std::move(connection)) {}
Bus::Bus(Bus&&) noexcept = default;
Bus& Bus::operator=(Bus&&) noexcept = default;
Bus::~Bus() = default;

Result<Bus> Bus::open() {
    RUNVM_ASSIGN(const Library* library, load());
    auto connection = std::make_unique<Connection>(*library);
    RUNVM_TRY(connection->open());
    return Bus(std::move(connection));
}

Result<void> Bus::start_transient_unit(const std::string& name, const std::vector<Property>& properties) {
    Connection::Call call(*connection_, "StartTransientUnit");
    call.append("ss", name.c_str(), "replace");
    call.append(properties);
    call.append("a(sa(sv))", 0); // no units beside it
    RUNVM_ASSIGN(std::string job, call.send(true));
    return connection_->await(job);
}

Result<void> Bus::stop_unit(const std::string& name) {
    Connection::Call call(*connection_, "StopUnit");
    call.append("ss", name.c_str(), "replace");
    auto job = call.send(true);
    if (!job)
        return job.error().kind() == ErrorKind::not_found ? Result<void>() : std::move(job).error();
    return connection_->await(*job);
}

Result<void> Bus::reset_failed_unit(const std::string& name) {
    Connection::Call call(*connection_, "ResetFailedUnit");
    call.append("s", name.c_str());
    auto reset = call.send(false);
    return reset ? Result<void>() : Result<void>(std::move(reset).error());
}

Result<void> Bus::set_unit_properties(const std::string& name, const std::vector<Property>& properties) {
    Connection::Call call(*connection_, "SetUnitProperties");
    call.append("sb", name.c_str(), 1); // until the unit is gone
    call.append(properties);
    auto set = call.send(false);
    return set ? Result<void>() : Result<void>(std::move(set).error());
}

} // namespace runvm::cgroup::systemd
