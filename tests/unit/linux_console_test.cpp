#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <string_view>

#include "hal/drivers/linux_console/console_port.h"

namespace sallyport::hal {
namespace {

std::string read_all(SerialPort& port) {
  std::string text;
  std::array<char, 16> chunk;
  while (const std::size_t got = port.read(chunk)) text.append(chunk.data(), got);
  return text;
}

std::string read_all(int descriptor) {
  std::string text(100'000, '\0');
  const ssize_t got = ::read(descriptor, text.data(), text.size());
  text.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
  return text;
}

class ConsoleSocketTest : public testing::Test {
 protected:
  ConsoleSocketTest() { EXPECT_TRUE(port_.open_unix(path_.c_str())); }
  ~ConsoleSocketTest() override { ::unlink(path_.c_str()); }

  int client() {
    const int descriptor = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, path_.c_str());
    EXPECT_EQ(::connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    return descriptor;
  }

  std::string path_ = testing::TempDir() + "sallyport-console-" + std::to_string(::getpid());
  ConsolePort port_;
};

TEST_F(ConsoleSocketTest, CarriesBytesBothWays) {
  const int peer = client();
  ASSERT_EQ(::write(peer, "show status\r", 12), 12);
  EXPECT_EQ(read_all(port_), "show status\r");
  EXPECT_EQ(port_.write(std::string_view("ok\r\n")), 4U);
  EXPECT_EQ(read_all(peer), "ok\r\n");
  ::close(peer);
}

TEST_F(ConsoleSocketTest, LosesOutputWhileNobodyIsConnected) {
  EXPECT_EQ(port_.write(std::string_view("into the void")), 13U);
  const int peer = client();
  EXPECT_EQ(port_.write(std::string_view("heard")), 5U);
  EXPECT_EQ(read_all(peer), "heard");
  ::close(peer);
}

TEST_F(ConsoleSocketTest, TakesTheNextClientWhenOneLeaves) {
  const int first = client();
  EXPECT_EQ(port_.write(std::string_view("1")), 1U);
  ::close(first);
  EXPECT_EQ(read_all(port_), "");
  const int second = client();
  ASSERT_EQ(::write(second, "2", 1), 1);
  EXPECT_EQ(read_all(port_), "2");
  ::close(second);
}

TEST_F(ConsoleSocketTest, TakesNoMoreThanTheClientReadsAndAsksForRoom) {
  const int peer = client();
  const std::string much(4'000'000, 'm');
  const std::size_t taken = port_.write(much);
  EXPECT_LT(taken, much.size());
  std::array<pollfd, 2> requests{};
  ASSERT_EQ(port_.poll_requests(requests), 1U);
  EXPECT_EQ(requests[0].events, POLLIN | POLLOUT);
  while (!read_all(peer).empty()) continue;
  EXPECT_EQ(port_.write(std::string_view("more")), 4U);
  ASSERT_EQ(port_.poll_requests(requests), 1U);
  EXPECT_EQ(requests[0].events, POLLIN);
  ::close(peer);
}

TEST_F(ConsoleSocketTest, LooksAgainSoonAfterAPollThatFoundNothing) {
  const int peer = client();
  std::array<pollfd, 2> requests{};
  const std::size_t count = port_.poll_requests(requests);
  port_.poll_results(std::span(requests).first(count));
  ASSERT_EQ(::write(peer, "x", 1), 1);
  std::string text;
  for (int reads = 0; reads < 100 && text.empty(); ++reads) text = read_all(port_);
  EXPECT_EQ(text, "x");

  requests[0].revents = POLLIN;
  port_.poll_results(std::span(requests).first(count));
  ASSERT_EQ(::write(peer, "y", 1), 1);
  EXPECT_EQ(read_all(port_), "y");
  ::close(peer);
}

TEST_F(ConsoleSocketTest, StaysConnectedOverAReset) {
  const int peer = client();
  EXPECT_EQ(port_.write(std::string_view("before ")), 7U);
  const auto argument = port_.resume_argument();
  // exec closes nothing and runs no destructor; the test's own process does, so the successor works on duplicates.
  int listener = -1, input = -1, output = -1, slave = -1;
  ASSERT_EQ(std::sscanf(argument.c_str(), "%d,%d,%d,%d", &listener, &input, &output, &slave), 4);
  EXPECT_EQ(input, output);
  EXPECT_EQ(::fcntl(listener, F_GETFD) & FD_CLOEXEC, 0);
  EXPECT_EQ(::fcntl(input, F_GETFD) & FD_CLOEXEC, 0);
  const int input_copy = ::dup(input);
  const std::string text =
      std::to_string(::dup(listener)) + "," + std::to_string(input_copy) + "," + std::to_string(input_copy) + ",-1";
  ConsolePort successor;
  ASSERT_TRUE(successor.resume(text.c_str()));
  EXPECT_EQ(successor.write(std::string_view("after")), 5U);
  EXPECT_EQ(read_all(peer), "before after");
  ::close(peer);
}

TEST(ConsolePort, KeepsAnOrdinaryFileAtTheSocketsPath) {
  const std::string path = testing::TempDir() + "sallyport-console-file-" + std::to_string(::getpid());
  ::close(::open(path.c_str(), O_CREAT | O_WRONLY, 0600));
  ConsolePort port;
  EXPECT_FALSE(port.open_unix(path.c_str()).has_value());
  EXPECT_EQ(::access(path.c_str(), F_OK), 0);
  ::unlink(path.c_str());
}

TEST(ConsolePort, RefusesAPathTooLongForASocket) {
  ConsolePort port;
  EXPECT_FALSE(port.open_unix(std::string(200, 'p').c_str()).has_value());
}

TEST(ConsolePort, PseudoTerminalPassesBytesUnchanged) {
  ConsolePort port;
  ASSERT_TRUE(port.open_pty());
  const int terminal = ::open(port.pty_path().data(), O_RDWR | O_NOCTTY | O_NONBLOCK);
  ASSERT_GE(terminal, 0);
  ASSERT_EQ(::write(terminal, "a\r\x03\n", 4), 4);
  EXPECT_EQ(read_all(port), "a\r\x03\n");
  EXPECT_EQ(port.write(std::string_view("b\n\r")), 3U);
  EXPECT_EQ(read_all(terminal), "b\n\r");
  ::close(terminal);
}

TEST(ConsolePort, PseudoTerminalOutlivesItsUser) {
  ConsolePort port;
  ASSERT_TRUE(port.open_pty());
  ::close(::open(port.pty_path().data(), O_RDWR | O_NOCTTY));
  EXPECT_EQ(read_all(port), "");
  const int terminal = ::open(port.pty_path().data(), O_RDWR | O_NOCTTY | O_NONBLOCK);
  ASSERT_EQ(::write(terminal, "x", 1), 1);
  EXPECT_EQ(read_all(port), "x");
  ::close(terminal);
}

TEST(ConsolePort, RefusesAResumeArgumentThatNoResetMade) {
  ConsolePort port;
  EXPECT_FALSE(port.resume("1,2").has_value());
}

}  // namespace
}  // namespace sallyport::hal
