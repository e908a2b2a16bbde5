#pragma once
// Private key files as far as logging in needs them. Blocks (files, key derivation): never on an I/O loop.
// Internal to this room.

#include <filesystem>
#include <string_view>

#include "core/base/secret.h"
#include "core/transport/ssh_session.h"

namespace porter::transport {

enum class KeyFile { missing, plain, encrypted };

// Told from the text of the file: PEM headers, or the cipher's name in OpenSSH's own format (PROTOCOL.key).
KeyFile inspect_key_file(const std::filesystem::path& file);
bool is_encrypted_key(std::string_view text);

// Null when the file cannot be read as a key, or the passphrase is wrong.
KeyPtr load_private_key(const std::filesystem::path& file, const base::Secret& passphrase);

// The public half without a passphrase: from FILE.pub, else from the file itself. Null when neither has it.
KeyPtr load_public_key(const std::filesystem::path& file);

// Joins FILE-cert.pub to the key. False when there is none.
bool add_certificate(const std::filesystem::path& file, ssh_key key);

}  // namespace porter::transport
