// Feeds the conversation with a relay's octets, as libFuzzer invents them. Never opens a socket.

import OutboxCore

@testable import SMTPTransport

/// Plays one conversation of up to 20 mails.
///
/// The input: the first octet chooses the extensions, the second the size of the pieces in which the relay's octets
/// arrive and the kernel takes ours. All further octets are the relay's.
@_cdecl("LLVMFuzzerTestOneInput")
public func playConversation(_ data: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    guard count >= 2 else { return 0 }
    let isPipelined = data[0] & 1 != 0
    let piece = 1 + Int(data[1] % 64)
    var relay = UnsafeBufferPointer(start: data + 2, count: count - 2)[...]
    let now = ContinuousClock.now
    var conversation = SMTPConversation(
        extensions: OfferedExtensions(answer: ["250-relay", isPipelined ? "250-PIPELINING" : "250-X", "250 SIZE"])
    ) { $0 == .finalDot ? .seconds(600) : .seconds(60) }
    let mail = OutgoingMail(envelopeSender: "a@example.com", recipient: "b@example.com", content: Array(".x\r\n".utf8))
    for _ in 0..<20 {
        conversation.begin(mail)
        var wasPermitted = false
        while conversation.ending == nil {
            if conversation.asksForPermission {
                conversation.permit(data[0] & 2 == 0)
                wasPermitted = true
            } else if let output = conversation.nextOutput(at: now) {
                var left = output.count
                while left > 0, conversation.ending == nil {
                    let taken = min(piece, left)
                    conversation.wrote(taken, at: now)
                    left -= taken
                }
            } else if relay.isEmpty {
                if data[0] & 4 == 0 { conversation.losesConnection("closed") } else { conversation.timesOut() }
            } else {
                conversation.receives(relay.prefix(piece), at: now)
                relay = relay.dropFirst(piece)
            }
        }
        guard let ending = conversation.ending else { return 0 }
        switch ending.result {
        case .accepted: precondition(conversation.hasHandedOver && wasPermitted, "accepted without a final dot")
        case .failed(let failure):
            precondition(failure.isUncertain == false || conversation.hasHandedOver, "uncertain without a final dot")
        case .withheld: precondition(!conversation.hasHandedOver)
        }
        precondition(!(ending.isForNewConnection && conversation.hasHandedOver), "goes anew")
        if !ending.keepsConnection { return 0 }
    }
    return 0
}
