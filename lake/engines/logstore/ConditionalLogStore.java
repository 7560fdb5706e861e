package redcliff;

import io.delta.storage.S3SingleDriverLogStore;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.util.Arrays;
import java.util.Iterator;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FSDataOutputStreamBuilder;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Options;
import org.apache.hadoop.fs.Path;

/**
 * Delta's log store for S3, with each new file of a log written by a PUT with If-None-Match.
 *
 * Of many writers of one version, in whatever process, the endpoint takes one; all others get
 * FileAlreadyExistsException, which Delta takes for a conflict. What Delta overwrites on purpose
 * (the hint of the last checkpoint) is written as by Delta's own store.
 */
public class ConditionalLogStore extends S3SingleDriverLogStore {

    public ConditionalLogStore(Configuration configuration) {
        super(configuration);
    }

    public void write(Path path, Iterator actions, Boolean overwrite, Configuration configuration)
            throws IOException {
        if (overwrite.booleanValue()) {
            super.write(path, actions, overwrite, configuration);
            return;
        }
        StringBuilder lines = new StringBuilder();
        while (actions.hasNext()) {
            lines.append((String) actions.next()).append('\n');
        }
        byte[] content = lines.toString().getBytes(StandardCharsets.UTF_8);
        FileSystem store = path.getFileSystem(configuration);
        try {
            create(store, path, content);
        } catch (IOException error) {
            // S3A has several names for "it is there"; what is there says it surely. When the
            // answer to the first attempt was lost, it is this commit, and it stands: no two
            // commits are equal, each names its own transaction.
            byte[] found = read(store, path);
            if (found == null) {
                throw error;
            }
            if (!Arrays.equals(found, content)) {
                FileAlreadyExistsException conflict = new FileAlreadyExistsException(path.toString());
                conflict.initCause(error);
                throw conflict;
            }
        }
    }

    /** Nothing is seen before `close`, which is the PUT; what was half-written is given up. */
    private static void create(FileSystem store, Path path, byte[] content) throws IOException {
        FSDataOutputStreamBuilder builder = store.createFile(path);
        // `must`: a file system that does not know the condition says so.
        builder.must(Options.CreateFileOptionKeys.FS_OPTION_CREATE_CONDITIONAL_OVERWRITE, true);
        FSDataOutputStream out = (FSDataOutputStream) builder.build();
        try {
            out.write(content);
        } catch (IOException error) {
            out.abort();
            throw error;
        }
        out.close();
    }

    private static byte[] read(FileSystem store, Path path) throws IOException {
        try {
            FSDataInputStream in = store.open(path);
            try {
                return in.readAllBytes();
            } finally {
                in.close();
            }
        } catch (FileNotFoundException error) {
            return null;
        }
    }
}
