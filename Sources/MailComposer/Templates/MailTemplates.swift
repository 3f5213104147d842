// The three templates of one kind in one language. Renders them together; knows nothing of MIME.

import InternetMessage
import Synchronization

/// What a mail of one kind says in one language.
final class MailTemplates: Sendable {
    let subject: Template
    let text: Template
    let html: Template

    private let skeletons = SkeletonCache()

    init(subject: Template, text: Template, html: Template) {
        self.subject = subject
        self.text = text
        self.html = html
    }

    var all: [Template] { [subject, text, html] }

    /// What the templates say to every message whose values have the same shape.
    ///
    /// - Throws: the first value that is missing or has no text; another message of the shape would lack it, too.
    func skeleton(for values: TemplateValues) throws(CompositionError) -> MailSkeleton {
        if let known = skeletons[values.shape] { return known }
        let marked = values.marked(by: Skeleton.mark)
        let skeleton = MailSkeleton(
            subject: Skeleton(rendered: try subject.render(marked)),
            text: BodySkeleton(Skeleton(rendered: try text.render(marked)), escapingHTML: false),
            html: BodySkeleton(Skeleton(rendered: try html.render(marked)), escapingHTML: true)
        )
        skeletons[values.shape] = skeleton
        return skeleton
    }

    /// - Throws: also when the subject is empty, or when the template has a control character.
    func renderSubject(_ values: TemplateValues) throws(CompositionError) -> String {
        let skeleton = Skeleton(rendered: try subject.render(values.marked(by: Skeleton.mark)))
        return try subject(skeleton, values.texts)
    }

    /// The subject with a message's own texts, each on one line.
    ///
    /// - Throws: when the subject is empty, or when the template has a control character.
    func subject(_ skeleton: Skeleton, _ texts: [String]) throws(CompositionError) -> String {
        var rendered = ""
        for piece in skeleton.pieces {
            switch piece {
            case .fixed(let bytes):
                let fixed = String(decoding: bytes, as: UTF8.self)
                guard !fixed.unicodeScalars.contains(where: \.isControl) else {
                    throw .controlCharacterInSubject(file: subject.file)
                }
                rendered += fixed
            case .text(let place):
                rendered += texts[place].onOneLine
            }
        }
        guard rendered.contains(where: { !$0.isWhitespace }) else { throw .emptySubject(file: subject.file) }
        return rendered
    }
}

/// All three templates for messages whose values have one shape.
struct MailSkeleton: Sendable {
    let subject: Skeleton
    let text: BodySkeleton
    let html: BodySkeleton
}

/// The skeletons of the shapes that were met first; an application has a handful. One that puts ever new names into its
/// variables pays for rendering, not with memory.
private final class SkeletonCache: Sendable {
    private static let limit = 16
    /// A shape this long has dozens of names or long lists, and hardly comes twice.
    private static let longestShape = 1000

    private let skeletons = Mutex<[[UInt8]: MailSkeleton]>([:])

    subscript(shape: [UInt8]) -> MailSkeleton? {
        get { skeletons.withLock { $0[shape] } }
        set {
            guard shape.count <= Self.longestShape else { return }
            skeletons.withLock { skeletons in
                if skeletons.count < Self.limit { skeletons[shape] = newValue }
            }
        }
    }
}
