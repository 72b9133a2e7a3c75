// What callers read: the log, state and list, features. Compared with runc 1.1.5's output on the same
// platform.

#include "bundle.h"
#include "oci/features.h"
#include "oci/fields.h"
#include "oci/log.h"
#include "oci/state_json.h"

#include <fcntl.h>
#include <unistd.h>

namespace runvm::oci::test {

namespace {

state::Container example() {
    state::Container container;
    container.id = "x1";
    container.status = state::Status::stopped;
    container.oci_version = "1.0.2-dev";
    container.bundle = "/tmp/b";
    container.rootfs = "/tmp/b/rootfs";
    container.created_ns = 1'795'299'684'506'507'081;
    container.annotations = {{"b", "2"}, {"a", "1<>&"}};
    return container;
}

} // namespace

TEST(state_json, is_runcs) {
    EXPECT_EQ(state_json(example()), R"({
  "ociVersion": "1.0.2-dev",
  "id": "x1",
  "pid": 0,
  "status": "stopped",
  "bundle": "/tmp/b",
  "rootfs": "/tmp/b/rootfs",
  "created": "2026-11-21T22:21:24.506507081Z",
  "annotations": {
    "a": "1\u003c\u003e\u0026",
    "b": "2"
  },
  "owner": ""
})");
}

TEST(state_json, no_annotations) {
    state::Container container = example();
    container.annotations.clear();
    EXPECT_EQ(state_json(container).find("annotations"), std::string::npos);
}

TEST(state_json, a_living_container_has_its_pid) {
    state::Container container = example();
    container.status = state::Status::running;
    container.shim = state::process_ref(::getpid());
    Json json = Json::parse(state_json(container));
    EXPECT_EQ(json["pid"], ::getpid());
    EXPECT_EQ(json["status"], "running");
    container.shim.start_time += 1;
    json = Json::parse(state_json(container));
    EXPECT_EQ(json["pid"], 0);
    EXPECT_EQ(json["status"], "stopped");
}

TEST(list, json) {
    EXPECT_EQ(list_json({}), "null\n");
    state::Container container = example();
    container.annotations.clear();
    container.owner = 0;
    EXPECT_EQ(list_json({container}),
              R"([{"ociVersion":"1.0.2-dev","id":"x1","pid":0,"status":"stopped","bundle":"/tmp/b",)"
              R"("rootfs":"/tmp/b/rootfs","created":"2026-11-21T22:21:24.506507081Z","owner":"root"}])"
              "\n");
}

TEST(list, table) {
    EXPECT_EQ(list_table({}), "ID          PID         STATUS      BUNDLE      CREATED     OWNER\n");
    state::Container container = example();
    container.id = "a-rather-long-container-name-to-see-the-table";
    container.owner = 4294967290U;
    EXPECT_EQ(list_table({container, example()}),
              "ID                                              PID         STATUS      BUNDLE      CREATED   "
              "         "
              "              OWNER\n"
              "a-rather-long-container-name-to-see-the-table   0           stopped     /tmp/b      "
              "2026-11-21T22:21:24.506507081Z   #4294967290\n"
              "x1                                              0           stopped     /tmp/b      "
              "2026-11-21T22:21:24.506507081Z   root\n");
}

TEST(log_line, json) {
    EXPECT_EQ(log_line_json("error", "a \"b\" <c>\n", "2026-11-21T22:21:27Z"),
              R"({"level":"error","msg":"a \"b\" \u003cc\u003e\n","time":"2026-11-21T22:21:27Z"})"
              "\n");
    EXPECT_TRUE(Json::accept(log_line_json("error", "\xff\x01", "t")));
}

TEST(log_line, text) {
    EXPECT_EQ(log_line_text("error", "container does not exist", "T"),
              "time=\"T\" level=error msg=\"container does not exist\"\n");
    EXPECT_EQ(log_line_text("error", "word-._/@^+9", "T"), "time=\"T\" level=error msg=word-._/@^+9\n");
    EXPECT_EQ(log_line_text("error", "a\"b\\c\td\n\x1b \xc3\xa9", "T"),
              "time=\"T\" level=error msg=\"a\\\"b\\\\c\\td\\n\\x1b \xc3\xa9\"\n");
}

class LogFile : public Bundle {
protected:
    std::string open_and_write(const LogOptions& options) {
        auto log = Log::open(options);
        EXPECT_TRUE(log) << log.error().to_string();
        ::testing::internal::CaptureStderr();
        log->debug("detail");
        log->error("it failed");
        return ::testing::internal::GetCapturedStderr();
    }
};

TEST_F(LogFile, has_one_line_for_an_error) { // Podman reads the whole file as one object
    std::string path = folder_ + "/log";
    EXPECT_EQ(open_and_write({path, "json", false}), "it failed\n");
    std::string text = *os::read_file(path);
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1);
    Json line = Json::parse(text);
    EXPECT_EQ(line["level"], "error");
    EXPECT_EQ(line["msg"], "it failed");
    EXPECT_EQ(line.size(), 3U);
}

TEST_F(LogFile, is_appended_to) {
    std::string path = folder_ + "/log";
    open_and_write({path, "json", true});
    open_and_write({path, "json", false});
    std::string text = *os::read_file(path);
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 3);
    EXPECT_NE(text.find("\"debug\""), std::string::npos);
}

TEST_F(LogFile, without_a_file_stderr_is_the_log) {
    std::string text = open_and_write({"", "", false});
    EXPECT_TRUE(text.ends_with(" level=error msg=\"it failed\"\n")) << text;
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1);
}

TEST_F(LogFile, errors) {
    EXPECT_EQ(Log::open({"", "xml", false}).error().message(), "invalid log-format: xml");
    EXPECT_FALSE(Log::open({folder_ + "/nothing/log", "json", false}));
}

TEST(features, are_what_the_parser_takes) {
    Json json = Json::parse(features_json("io.test."));
    EXPECT_EQ(json["ociVersionMin"], "1.0.0");
    EXPECT_EQ(json["ociVersionMax"], spec_version);
    EXPECT_EQ(json["hooks"].size(), is_honoured("hooks.prestart") ? 6U : 0U);
    EXPECT_EQ(json["mountOptions"].size(), 62U);
    EXPECT_EQ(json["linux"]["namespaces"],
              Json({"cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts"}));
    EXPECT_EQ(json["linux"]["capabilities"][0], "CAP_CHOWN");
    EXPECT_EQ(json["linux"]["capabilities"].size(), 41U);
    EXPECT_EQ(json["linux"]["seccomp"]["actions"].size(), 8U);
    EXPECT_EQ(json["linux"]["mountExtensions"]["idmap"]["enabled"], true);
    EXPECT_EQ(json["potentiallyUnsafeConfigAnnotations"], Json::array({"io.test."}));
    EXPECT_EQ(features_json("io.test.").back(), '\n');
}

} // namespace runvm::oci::test
